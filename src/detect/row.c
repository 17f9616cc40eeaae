/*
 * row.c
 *		The rows that the detectors put, and their names.
 *
 * Invariant: what a kind does not have is none, and never left unset.
 */
#include "detect/detect_private.h"

static const char *const kind_names[DETECT_KINDS] =
{
	[DETECT_VISIT] = "visit",
	[DETECT_ALARM] = "alarm",
	[DETECT_OVERSPEED] = "overspeed",
	[DETECT_IGNITION_ON] = "ignition_on",
	[DETECT_IGNITION_OFF] = "ignition_off",
	[DETECT_MOTION_START] = "motion_start",
	[DETECT_MOTION_STOP] = "motion_stop",
	[DETECT_DRIVER_CHANGE] = "driver_change",
	[DETECT_POWER_CUT] = "power_cut",
	[DETECT_LOW_BATTERY] = "low_battery",
	[DETECT_SENSOR_ALARM] = "sensor_alarm",
	[DETECT_GEOFENCE_ENTER] = "geofence_enter",
	[DETECT_GEOFENCE_EXIT] = "geofence_exit",
	[DETECT_GEOFENCE_DWELL] = "geofence_dwell",
	[DETECT_GEOFENCE_PASS] = "geofence_pass",
	[DETECT_PROXIMITY] = "proximity",
};

const char *
detect_kind_name(DetectKind kind)
{
	return (unsigned) kind < DETECT_KINDS ? kind_names[kind] : NULL;
}

/* Gives a row of something that began, and was seen, at a spot; the rest is none. */
DetectRow
detect_row(DetectKind kind, const DetectSpot *spot)
{
	DetectRow	row;

	memset(&row, 0, sizeof(row));
	row.kind = kind;
	row.at = spot->time;
	row.until = DETECT_NO_TIME;
	row.confirmed_at = spot->time;
	row.has_place = spot->has_place;
	row.lon = spot->lon;
	row.lat = spot->lat;
	row.uncertainty_s = NAN;
	row.metres = NAN;
	row.top_speed_kmh = NAN;
	row.limit_kmh = NAN;
	row.mean_excess_kmh = NAN;
	row.peak_at = DETECT_NO_TIME;
	row.peak_lon = NAN;
	row.peak_lat = NAN;
	row.value = NAN;
	row.threshold = NAN;
	row.peak = NAN;
	row.near_m = NAN;
	return row;
}
