/*
 * decode.h
 *		What decoding and ingesting from SQL share.
 */
#ifndef PT621_PG_DECODE_H
#define PT621_PG_DECODE_H

#include "postgres.h"

#include "utils/array.h"

/* Joins the elements of a bytea[] that are not NULL into one value. */
extern struct varlena *join_reads(ArrayType *array);

#endif							/* PT621_PG_DECODE_H */
