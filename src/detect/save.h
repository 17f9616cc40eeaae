/*
 * save.h
 *	  What writing and reading a state have in common.
 *
 * Invariant: whoever changes what is written, or what it means, changes the
 * version: bytes of another one are not read.
 */
#ifndef PT621_DETECT_SAVE_H
#define PT621_DETECT_SAVE_H

#include "detect/detect_private.h"

#define DETECT_SAVED_VERSION	2
#define DETECT_SAVED_HEAD		54	/* version and piece */
/* The byte after the time says which parts follow: among them, in this bit, a
 * change of the ignition that may be taken back. */
#define DETECT_SAVED_PARTS		(DETECT_SAVED_HEAD + 8)
#define DETECT_SAVED_PENDING	(1 << 4)

#define DETECT_SAVED_NAN		UINT64_C(0x7FF8000000000000)

/* The least bytes that a visit takes. */
#define DETECT_SAVED_VISIT_MIN	75

/* And the least that a sensor takes. */
#define DETECT_SAVED_SENSOR_MIN	57

#endif							/* PT621_DETECT_SAVE_H */
