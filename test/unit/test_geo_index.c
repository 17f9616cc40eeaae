/*
 * test_geo_index.c
 *		The index finds what looking at every extent finds, once.
 */
#include "shapes.h"

#define SHAPES	700

typedef struct Found
{
	GeoShape   *const *shapes;
	int			times[SHAPES];
	int			strangers;
} Found;

static void
note(void *value, void *arg)
{
	Found	   *found = arg;
	size_t		i = (size_t) ((GeoShape *const *) value - found->shapes);

	if (i < SHAPES)
		found->times[i]++;
	else
		found->strangers++;
}

/* Tells whether a search finds each shape whose extent meets the box once, and no
 * other. */
static bool
finds_all(GeoIndex *index, GeoShape *const *shapes, size_t count, GeoBox box)
{
	Found		found = {.shapes = shapes};

	geo_index_search(index, &box, note, &found);
	for (size_t i = 0; i < count; i++)
	{
		GeoBox		extent;
		bool		meets = geo_shape_extent(shapes[i], &extent) &&
			extent.west <= box.east && box.west <= extent.east &&
			extent.south <= box.north && box.south <= extent.north;

		if (found.times[i] != meets)
			return false;
	}
	return found.strangers == 0;
}

static void
test_size(size_t count)
{
	static GeoShape *shapes[SHAPES];
	static void *values[SHAPES];
	GeoError	error = {"?"};
	GeoIndex   *index;
	Dice		dice = {count + 1};
	int			wrong = 0;

	for (size_t i = 0; i < count; i++)
	{
		double		x = floor(350 * roll(&dice)) - 175;
		double		y = floor(160 * roll(&dice)) - 80;
		double		size = 3 * roll(&dice);
		char		text[400];

		snprintf(text, sizeof(text),
				 i % 10 == 3 ? "POLYGON EMPTY" : "POLYGON((%g %g,%g %g,%g %g,%g %g))",
				 x, y, x + size, y, x, y + size, x, y);
		shapes[i] = shape_of(text);
		values[i] = &shapes[i];
	}
	index = geo_index_new(shapes, values, count, &error);
	ok(index != NULL && error.text[0] == '\0', "an index of %zu shapes", count);
	for (int i = 0; i < 1000; i++)
	{
		GeoBox		box;

		box.west = floor(360 * roll(&dice)) - 180;
		box.south = floor(180 * roll(&dice)) - 90;
		box.east = box.west + (i % 3 > 0 ? 20 * roll(&dice) : 0);
		box.north = box.south + (i % 3 > 1 ? 20 * roll(&dice) : 0);
		wrong += !finds_all(index, shapes, count, box);
	}
	is_int(wrong, 0, "finds what there is in boxes, in lines and at points");
	ok(finds_all(index, shapes, count, (GeoBox) {-180, -90, 180, 90}), "in the whole world");
	ok(finds_all(index, shapes, count, (GeoBox) {-INFINITY, -INFINITY, INFINITY, INFINITY}),
	   "and in more than that");
	ok(finds_all(index, shapes, count, (GeoBox) {10, -90, -10, 90}),
	   "nothing in a box that is the wrong way round");
	ok(finds_all(index, shapes, count, (GeoBox) {NAN, NAN, NAN, NAN}) &&
	   finds_all(index, shapes, count, (GeoBox) {-180, -90, NAN, 90}),
	   "nor in one of no numbers");
	geo_index_free(index);
	for (size_t i = 0; i < count; i++)
		geo_shape_free(shapes[i]);
}

int
main(void)
{
	test_size(0);
	test_size(1);
	test_size(11);
	test_size(SHAPES);
	geo_index_free(NULL);
	if (test_geos != NULL)
		GEOS_finish_r(test_geos);
	return done_testing();
}
