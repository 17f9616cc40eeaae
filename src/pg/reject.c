/*
 * reject.c
 *		Names and texts of what is counted.
 */
#include "postgres.h"

#include "pg/reject.h"

static const char *const rejection_names[REJECTIONS] = {
	[REJECT_NONE] = "none",
	[PT621_NOT_A_RECORD] = "not_a_record",
	[PT621_LINE_TOO_LONG] = "line_too_long",
	[PT621_FRAME_CUT_SHORT] = "frame_cut_short",
	[PT621_FRAME_LENGTH] = "frame_length",
	[PT621_FRAME_VERIFY] = "frame_verify",
	[PT621_FRAME_EMPTY] = "frame_empty",
	[PT621_PHOTO_CUT_SHORT] = "photo_cut_short",
	[PT621_PHOTO_HEADER] = "photo_header",
	[PT621_TOO_FEW_FIELDS] = "too_few_fields",
	[PT621_CODE] = "code",
	[PT621_IDENT_LENGTH] = "ident_length",
	[PT621_IDENT_BYTE] = "ident_byte",
	[PT621_IMEI] = "imei",
	[PT621_DELTA_CUT_SHORT] = "delta_cut_short",
	[PT621_DELTA_NO_BASE] = "delta_no_base",
	[PT621_DELTA_FIELD] = "delta_field",
	[PT621_DELTA_OFFSET] = "delta_offset",
	[PT621_DELTA_TOO_LONG] = "delta_too_long",
	[PT621_DELTA_INSANE] = "delta_insane",
	[REJECT_NO_TRACKER] = "no_tracker",
	[REJECT_UNKNOWN] = "unknown",
	[REJECT_QUARANTINED] = "quarantined",
	[REJECT_DISABLED] = "disabled",
	[REJECT_PEER] = "peer",
	[REJECT_CONFLICT] = "conflict",
	[REJECT_RATE] = "rate",
	[REJECT_PHOTO_SIZE] = "photo_size",
	[REJECT_FOREIGN] = "foreign",
	[REJECT_REFUSED] = "refused",
};

static const char *const close_reason_names[CLOSE_REASONS] = {
	[CLOSE_BY_PEER] = "peer",
	[CLOSE_ERROR] = "error",
	[CLOSE_IDLE] = "idle",
	[CLOSE_GAVE_WAY] = "gave_way",
	[CLOSE_REFUSED] = "refused",
	[CLOSE_ADDRESS] = "address",
	[CLOSE_NO_RECORD] = "no_record",
	[CLOSE_MEMORY] = "memory",
	[CLOSE_FOREIGN] = "foreign",
	[CLOSE_CONFLICT] = "conflict",
	[CLOSE_PORT] = "port",
};

const char *
unit_class_name(UnitClass class)
{
	static const char *const names[UNIT_CLASSES] = {
		"report", "status", "photo_chunk", "delta", "text", "garbage"
	};

	return names[class];
}

const char *
rejection_name(Rejection rejection)
{
	return rejection_names[rejection];
}

const char *
close_reason_name(CloseReason reason)
{
	return close_reason_names[reason];
}

const char *
rejection_text(Rejection rejection)
{
	switch (rejection)
	{
		case REJECT_NO_TRACKER:
			return TEXT_NO_TRACKER;
		case REJECT_UNKNOWN:
			return TEXT_UNKNOWN;
		case REJECT_QUARANTINED:
			return TEXT_QUARANTINED;
		case REJECT_DISABLED:
			return "the tracker is not enabled in pt621.device";
		case REJECT_PEER:
			return "the peer is not in allowed_peers of the tracker";
		case REJECT_CONFLICT:
			return "another connection speaks for the tracker";
		case REJECT_RATE:
			return "more records in a second than pt621.max_record_rate";
		case REJECT_PHOTO_SIZE:
			return "a piece of a photo larger than pt621.max_photo_size";
		default:
			return "rejected";
	}
}

const char *
close_reason_text(CloseReason reason)
{
	switch (reason)
	{
		case CLOSE_BY_PEER:
			return "the peer ended it";
		case CLOSE_ERROR:
			return "it failed";
		case CLOSE_IDLE:
			return "it said nothing for pt621.idle_timeout";
		case CLOSE_GAVE_WAY:
			return "it had named no tracker, and there were as many as pt621.max_connections or open files allow";
		case CLOSE_REFUSED:
			return "there were as many as pt621.max_connections or open files allow";
		case CLOSE_ADDRESS:
			return "its address had as many as pt621.max_connections_per_address allows";
		case CLOSE_NO_RECORD:
			return "it sent pt621.max_bytes_without_record without a valid record";
		case CLOSE_MEMORY:
			return "it needed more than pt621.max_pending_memory, or memory or descriptors were short";
		case CLOSE_FOREIGN:
			return "it spoke another protocol";
		case CLOSE_CONFLICT:
			return "another connection speaks for its tracker";
		case CLOSE_PORT:
			return "the port was closed";
		case CLOSE_REASONS:
			break;
	}
	return "";
}

int
close_reason_sqlstate(CloseReason reason)
{
	switch (reason)
	{
		case CLOSE_IDLE:
			return ERRCODE_IDLE_SESSION_TIMEOUT;
		case CLOSE_GAVE_WAY:
		case CLOSE_REFUSED:
		case CLOSE_ADDRESS:
			return ERRCODE_TOO_MANY_CONNECTIONS;
		case CLOSE_NO_RECORD:
		case CLOSE_FOREIGN:
			return ERRCODE_PROTOCOL_VIOLATION;
		case CLOSE_MEMORY:
			return ERRCODE_INSUFFICIENT_RESOURCES;
		case CLOSE_CONFLICT:
			return ERRCODE_OBJECT_IN_USE;
		default:
			return ERRCODE_CONNECTION_EXCEPTION;
	}
}

const char *
close_reason_hint(CloseReason reason)
{
	switch (reason)
	{
		case CLOSE_IDLE:
			return "Where trackers report less often, raise pt621.idle_timeout.";
		case CLOSE_GAVE_WAY:
		case CLOSE_REFUSED:
			return "pt621_stat_connection() shows who is connected; raise pt621.max_connections or the limit on open files where they are trackers.";
		case CLOSE_ADDRESS:
			return "Where many trackers come by one address, raise pt621.max_connections_per_address.";
		case CLOSE_NO_RECORD:
		case CLOSE_FOREIGN:
			return "What it sent is in pt621.frame, as far as pt621.archive and pt621.archive_strangers say so.";
		case CLOSE_MEMORY:
			return "Raise pt621.max_pending_memory, or see what the server is short of.";
		case CLOSE_CONFLICT:
			return "pt621.connection_conflict decides which of two goes on; pt621.device_state says who they were.";
		default:
			return "pt621_stat_worker() counts them in closed_by_reason.";
	}
}
