/*
 * field.h
 *		Values of single fields: how the text of one becomes a number.
 *
 * Private to the codec.  Every function takes a field's bytes and says whether
 * all of them are a value of the kind in its range; it depends on no locale.
 * They are inline because their calls made up a fifth of reading a record.
 */
#ifndef PT621_CODEC_FIELD_H
#define PT621_CODEC_FIELD_H

#include "codec/pt621_codec.h"

/* So many digits keep every product below 2^53, where doubles are exact. */
#define DECIMAL_DIGITS_MAX	14

static const int64_t power_of_ten[DECIMAL_DIGITS_MAX + 1] = {
	INT64_C(1), INT64_C(10), INT64_C(100), INT64_C(1000), INT64_C(10000),
	INT64_C(100000), INT64_C(1000000), INT64_C(10000000), INT64_C(100000000),
	INT64_C(1000000000), INT64_C(10000000000), INT64_C(100000000000),
	INT64_C(1000000000000), INT64_C(10000000000000), INT64_C(100000000000000)
};

static inline unsigned
digit(uint8_t byte)
{
	return (unsigned) byte - '0';
}

/* Reads 1 to 18 decimal digits. */
static inline bool
field_integer(Pt621Text field, int64_t *value)
{
	int64_t		result = 0;

	if (field.size == 0 || field.size > 18)
		return false;
	for (uint32_t i = 0; i < field.size; i++)
	{
		if (digit(field.at[i]) > 9)
			return false;
		result = result * 10 + digit(field.at[i]);
	}
	*value = result;
	return true;
}

/* A decimal: whole + fraction / unit, where unit is a power of ten. */
typedef struct Decimal
{
	int64_t		whole;
	int64_t		fraction;
	int64_t		unit;
} Decimal;

/* Reads digits with at most one point. */
static inline bool
read_decimal(Pt621Text field, Decimal *value)
{
	const uint8_t *p = field.at;
	const uint8_t *end = p + field.size;
	const uint8_t *point;
	int64_t		result = 0;

	/* One digit more than there may be, counting the point as one. */
	if (field.size == 0 || field.size > DECIMAL_DIGITS_MAX + 1)
		return false;
	for (; p < end && digit(*p) <= 9; p++)
		result = result * 10 + digit(*p);
	value->whole = result;
	value->fraction = 0;
	value->unit = 1;
	if (p == end)
		return field.size <= DECIMAL_DIGITS_MAX;
	if (*p != '.' || field.size == 1)
		return false;
	point = p;
	result = 0;
	for (p++; p < end && digit(*p) <= 9; p++)
		result = result * 10 + digit(*p);
	value->fraction = result;
	value->unit = power_of_ten[p - point - 1];
	return p == end;
}

/* Reads digits with at most one point; no sign, no exponent. */
static inline bool
field_decimal(Pt621Text field, double *value)
{
	Decimal		decimal;

	if (!read_decimal(field, &decimal))
		return false;
	*value = (double) (decimal.whole * decimal.unit + decimal.fraction) /
		(double) decimal.unit;
	return true;
}

static inline int
hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

/* Reads 1 to 4 hexadecimal digits of either case. */
static inline bool
field_hex(Pt621Text field, int32_t *value)
{
	int32_t		result = 0;

	if (field.size == 0 || field.size > 4)
		return false;
	for (uint32_t i = 0; i < field.size; i++)
	{
		int			one = hex_digit(field.at[i]);

		if (one < 0)
			return false;
		result = result << 4 | one;
	}
	*value = result;
	return true;
}

/* Reads a string of 0 and 1, at most PT621_BITS_MAX of them. */
static inline bool
field_bits(Pt621Text field, Pt621Bits *value)
{
	uint32_t	bits = 0;

	if (field.size == 0 || field.size > PT621_BITS_MAX)
		return false;
	for (uint32_t i = 0; i < field.size; i++)
	{
		if (digit(field.at[i]) > 1)
			return false;
		bits |= (uint32_t) digit(field.at[i]) << (PT621_BITS_MAX - 1 - i);
	}
	value->bits = bits;
	value->count = field.size;
	return true;
}

/*
 * Reads degrees and minutes, [d[d[d]]]mm.mmmm: the minutes are the two digits
 * before the point, however many stand before them (protocol 3).  limit is the
 * largest number of degrees.
 */
static inline bool
field_coordinate(Pt621Text field, int limit, double *degrees)
{
	Decimal		decimal;
	int64_t		whole;
	int64_t		minutes;		/* times decimal.unit */

	if (!read_decimal(field, &decimal))
		return false;
	whole = decimal.whole / 100;
	minutes = decimal.whole % 100 * decimal.unit + decimal.fraction;
	if (minutes >= 60 * decimal.unit || whole > limit ||
		(whole == limit && minutes > 0))
		return false;
	*degrees = (double) (whole * 60 * decimal.unit + minutes) /
		(double) (60 * decimal.unit);
	return true;
}

/* Reads hhmmss[.fraction] as microseconds since midnight. */
static inline bool
field_time(Pt621Text field, int64_t *microseconds)
{
	const uint8_t *at = field.at;
	int64_t		fraction = 0;
	int64_t		weight = 100000;
	unsigned	hours;
	unsigned	minutes;
	unsigned	seconds;

	if (field.size < 6 || (field.size > 6 && at[6] != '.'))
		return false;
	for (uint32_t i = 0; i < field.size; i++)
	{
		if (i == 6)
			continue;
		if (digit(at[i]) > 9)
			return false;
		if (i > 6)
		{
			fraction += digit(at[i]) * weight;
			weight /= 10;
		}
	}
	hours = digit(at[0]) * 10 + digit(at[1]);
	minutes = digit(at[2]) * 10 + digit(at[3]);
	seconds = digit(at[4]) * 10 + digit(at[5]);
	if (hours > 23 || minutes > 59 || seconds > 59)
		return false;
	*microseconds = (int64_t) (hours * 3600 + minutes * 60 + seconds) * 1000000 +
		fraction;
	return true;
}

/* Reads ddMMyy, years 2000 to 2099, as days since 1970-01-01. */
static inline bool
field_date(Pt621Text field, int64_t *days)
{
	static const uint16_t before_month[13] =
	{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	const uint8_t *at = field.at;
	unsigned	day;
	unsigned	month;
	unsigned	year;
	bool		leap;

	if (field.size != 6)
		return false;
	for (int i = 0; i < 6; i++)
	{
		if (digit(at[i]) > 9)
			return false;
	}
	day = digit(at[0]) * 10 + digit(at[1]);
	month = digit(at[2]) * 10 + digit(at[3]);
	year = digit(at[4]) * 10 + digit(at[5]);
	leap = year % 4 == 0;		/* 2000 to 2099 */
	if (month < 1 || month > 12 || day < 1 ||
		day > (unsigned) (before_month[month] - before_month[month - 1]) +
		(month == 2 && leap))
		return false;
	/* 2000-01-01 is day 10957; leap days of the years before this one. */
	*days = 10957 + year * 365 + (year + 3) / 4 +
		before_month[month - 1] + (month > 2 && leap) + day - 1;
	return true;
}

#endif							/* PT621_CODEC_FIELD_H */
