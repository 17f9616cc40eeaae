/*
 * report_read.h
 *		Records of trackers, as reports take them in.
 *
 * Invariant.  Rows come straight from the executor: none is copied as a row, and
 * between two fetches other statements may run.  All are read with the rights,
 * the policies and the snapshot of whoever asks.
 */
#ifndef PT621_PG_REPORT_READ_H
#define PT621_PG_REPORT_READ_H

#include "postgres.h"

#include "utils/array.h"
#include "utils/timestamp.h"

#include "report/report.h"

#define RECORDS_AT_ONCE		1000

/* One record, and whose it is. */
typedef struct ReportRecord
{
	ReportFix	fix;
	double		raw;			/* of the sensor that was asked for; NAN = none */
	int32		device_id;
} ReportRecord;

/* Ids of drivers, numbered from 1. */
typedef struct DriverNames DriverNames;
extern DriverNames *driver_names_new(MemoryContext context);
extern const char *driver_name(const DriverNames *names, int32 number);

typedef struct ReportReader ReportReader;

/* Makes one; within SPI, and it lasts no longer.  names NULL: who drives does not
 * matter. */
extern ReportReader *report_reader_new(Oid schema, DriverNames *names);

/* The element of position.adc that a sensor is at a time, 1 = the first; 0 = none.
 * Records come with its raw count from now on. */
typedef int (*ReportChannel) (void *arg, TimestampTz time);
extern void report_reader_sensor(ReportReader *reader, ReportChannel channel, void *arg);

/* What to read, in order of tracker, time, code and digest; it ends what was being
 * read.  devices NULL = all. */
extern void report_read_period(ReportReader *reader, ArrayType *devices, TimestampTz low, TimestampTz high);

/* One tracker's records from a time on; the only ones with a sensor's counts. */
extern void report_read_from(ReportReader *reader, int32 device_id, TimestampTz low);

/* One tracker's records before a time: backwards. */
extern void report_read_before(ReportReader *reader, int32 device_id, TimestampTz high);

extern void report_read_end(ReportReader *reader);

/*
 * Gives the next records, about so many at most; they last until the next call.
 * False: there are no more.  There may be none among some rows.
 */
extern bool report_fetch(ReportReader *reader, uint32 most, const ReportRecord **records, uint32 *count);

/* Time of a tracker's first record with the ignition on; REPORT_ENDLESS = none.  look:
 * at the records, where the tracker's state does not say. */
extern ReportTime report_wired_since(Oid schema, int32 device_id, bool look);

/* Name of a tracker's time zone; NULL = the tracker is not known. */
extern char *report_time_zone(Oid schema, int32 device_id);

/* Ids of all trackers in pt621.device, ascending. */
extern int32 *report_all_devices(Oid schema, uint32 *count);

#endif							/* PT621_PG_REPORT_READ_H */
