/*
 * test_calibrate.c
 *		Tables of sensors: values on, between and beside the pairs.
 */
#include "sensor/calibrate.h"

#include <float.h>
#include <math.h>

#include "tap.h"

static const double raw[] = {100, 200, 600, 1100};
static const double litres[] = {0, 10, 90, 100};

static double
at(double count)
{
	return calibrate(raw, litres, 4, count);
}

static void
test_inside(void)
{
	ok(at(100) == 0 && at(200) == 10 && at(600) == 90 && at(1100) == 100, "on the pairs, their values");
	ok(at(150) == 5 && at(400) == 50 && at(850) == 95, "straight in between");
}

static void
test_outside(void)
{
	ok(at(50) == 0 && at(1150) == 100, "within a twentieth of the span, the end");
	ok(isnan(at(49)) && isnan(at(1151)), "farther out, nothing");
	ok(isnan(at(NAN)) && isnan(at(INFINITY)) && isnan(at(-INFINITY)), "no count, nothing");
}

static void
test_falling(void)
{
	static const double falling[] = {100, 50, -20, -40};

	ok(calibrate(raw, falling, 4, 150) == 75 && calibrate(raw, falling, 4, 400) == 15, "values may fall");
	ok(calibrate(raw, (const double[]){7, 7, 7, 7}, 4, 123.4) == 7, "and may stay");
}

static void
test_large(void)
{
	static const double most[] = {-DBL_MAX, DBL_MAX};

	ok(calibrate(most, litres, 2, 0) == 5, "raw counts as far apart as can be");
	ok(calibrate(raw, most, 2, 150) == 0, "values too");
}

static void
test_valid(void)
{
	ok(calibrate_valid(raw, litres, 4), "a table");
	ok(!calibrate_valid(raw, litres, 1) && !calibrate_valid(raw, litres, 0), "one pair is none");
	ok(!calibrate_valid((const double[]){1, 1}, litres, 2), "nor are raw counts that stay");
	ok(!calibrate_valid((const double[]){2, 1}, litres, 2), "or fall");
	ok(!calibrate_valid((const double[]){1, INFINITY}, litres, 2)
	   && !calibrate_valid((const double[]){NAN, 1}, litres, 2), "or are no numbers");
	ok(!calibrate_valid(raw, (const double[]){1, NAN}, 2), "nor values that are none");
	ok(isnan(calibrate(raw, litres, 1, 100)), "of one pair there is no value");
}

int
main(void)
{
	test_inside();
	test_outside();
	test_falling();
	test_large();
	test_valid();
	return done_testing();
}
