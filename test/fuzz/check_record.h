/*
 * check_record.h
 *		What holds for every record that was read, whatever its bytes were.
 *
 * Shared by the fuzz targets and the unit tests: check_record() returns what is
 * broken, or NULL.
 */
#ifndef PT621_CHECK_RECORD_H
#define PT621_CHECK_RECORD_H

#include <math.h>
#include <string.h>

#include "codec/pt621_codec.h"

/* Tells whether a piece lies in the text, and is printable if it must be. */
static bool
piece_fine(Pt621Text piece, const uint8_t *text, size_t size, bool must_print)
{
	if (piece.at == NULL)
		return piece.size == 0;
	if (piece.at < text || piece.at > text + size ||
		piece.size > (size_t) (text + size - piece.at))
		return false;
	for (uint32_t i = 0; must_print && i < piece.size; i++)
	{
		if (piece.at[i] < 0x20 || piece.at[i] > 0x7E)
			return false;
	}
	return true;
}

static bool
bits_fine(Pt621Bits bits)
{
	/* Nothing is set behind the last one. */
	return bits.count <= PT621_BITS_MAX &&
		(bits.count == PT621_BITS_MAX ||
		 (bits.bits & (UINT32_MAX >> bits.count)) == 0);
}

static const char *
check_record(const Pt621Record *r, const uint8_t *text, size_t size)
{
	if (!piece_fine(r->code, text, size, true) || r->code.size == 0 ||
		r->code.size > PT621_CODE_MAX)
		return "code";
	if (!piece_fine(r->ident, text, size, true) ||
		r->ident.size > PT621_IDENT_MAX ||
		(r->ident.size == 0) != (r->kind == PT621_PHOTO_CHUNK))
		return "ident";
	if (!piece_fine(r->driver, text, size, true) ||
		!piece_fine(r->gsb, text, size, true) ||
		!piece_fine(r->spec, text, size, true) ||
		!piece_fine(r->photo_id, text, size, true) ||
		!piece_fine(r->firmware, text, size, true) ||
		!piece_fine(r->hardware, text, size, true) ||
		!piece_fine(r->photo_data, text, size, false))
		return "a text";
	if (isnan(r->latitude) != isnan(r->longitude))
		return "half a place";
	if (!isnan(r->latitude) && (fabs(r->latitude) > 90 || fabs(r->longitude) > 180))
		return "a place off the Earth";
	if (r->valid && isnan(r->latitude))
		return "valid without a place";
	if (!isnan(r->speed_kmh) && !(r->speed_kmh >= 0 && r->speed_kmh < 1852))
		return "speed";
	if (!isnan(r->course) && !(r->course >= 0 && r->course <= 360))
		return "course";
	/* 2000-01-01 to 2099-12-31 */
	if (r->device_time != PT621_NO_TIME &&
		(r->device_time < INT64_C(946684800000000) ||
		 r->device_time >= INT64_C(4102444800000000)))
		return "time";
	if (r->device_time == PT621_NO_TIME && r->kind == PT621_REPORT &&
		!(r->quality & (PT621_BAD_TIME | PT621_BAD_DATE)))
		return "no time and no quality bit";
	if (!bits_fine(r->inputs) || !bits_fine(r->outputs))
		return "inputs or outputs";
	if (r->adc_count > PT621_ADC_MAX)
		return "number of analog values";
	for (uint32_t i = 0; i < r->adc_count; i++)
	{
		if (r->adc[i] < -1 || r->adc[i] > 0xFFFF)
			return "an analog value";
	}
	if (r->odometer_m < -1 || r->photo_size < -1 || r->photo_offset < -1)
		return "a count";
	for (int i = 0; i < 3; i++)
	{
		if (r->gsb_digit[i] < -1 || r->gsb_digit[i] > 15 ||
			(r->gsb_digit[i] >= 0) != (r->gsb_digit[0] >= 0))
			return "a digit of gsb";
	}
	if (r->quality >> 16 != 0)
		return "a quality bit that is not the codec's";
	return NULL;
}

#endif							/* PT621_CHECK_RECORD_H */
