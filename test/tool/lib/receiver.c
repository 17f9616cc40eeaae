/*
 * receiver.c
 *		The receiver's side of deltas, by the project's codec.
 */
#include "receiver.h"

#include <string.h>

/* Tells whether two texts are the same bytes. */
static bool
same(const uint8_t *a, size_t a_size, const char *b, size_t b_size)
{
	return a_size == b_size && memcmp(a, b, a_size) == 0;
}

/* Adds a base, in memory that lasts as long as it can be one. */
static void
add_base(Receiver *receiver, const char *text, size_t size)
{
	char	   *place = receiver->text[receiver->next_text];
	Pt621Chain *chain = &receiver->chain;

	memcpy(place, text, size);
	pt621_chain_base(chain, (const uint8_t *) place, size);
	/* One that is sent twice in a row is not added again. */
	if (chain->base[chain->newest].text == (const uint8_t *) place)
		receiver->next_text = (receiver->next_text + 1) % RECEIVER_TEXTS;
}

void
receiver_take(Receiver *receiver, const char *text, size_t size)
{
	uint8_t		out[PT621_RECORD_MAX];
	size_t		out_size;
	Pt621Record record;
	uint64_t	tag;

	add_base(receiver, text, size);
	if (receiver->chain.helds > 0 &&
		pt621_chain_late(&receiver->chain, &tag, out, &out_size, &record))
		add_base(receiver, receiver->early_text, receiver->early_size);
}

bool
receiver_reads(Receiver *receiver, const uint8_t *delta, size_t delta_size,
			   const char *text, size_t size)
{
	uint8_t		out[PT621_RECORD_MAX];
	size_t		out_size;
	Pt621Record record;
	Pt621Error	error;

	return pt621_chain_resolve(&receiver->chain, delta, delta_size, out, &out_size,
							   &record, &error) &&
		same(out, out_size, text, size);
}

bool
receiver_waits(const Receiver *receiver, const uint8_t *delta, size_t delta_size,
			   const char *text, size_t size,
			   const Report *const *coming, size_t count)
{
	Pt621Chain	chain = receiver->chain;
	uint8_t		out[PT621_RECORD_MAX];
	size_t		out_size;
	Pt621Record record;
	Pt621Error	error;
	uint64_t	tag;

	if (receiver_holds(receiver) ||
		pt621_chain_resolve(&chain, delta, delta_size, out, &out_size, &record, &error))
		return false;
	pt621_chain_hold(&chain, delta, delta_size, 0, &tag);
	for (size_t i = 0; i < count; i++)
	{
		pt621_chain_base(&chain, (const uint8_t *) coming[i]->text, coming[i]->size);
		if (pt621_chain_late(&chain, &tag, out, &out_size, &record))
			return i == count - 1 && same(out, out_size, text, size);
	}
	return false;
}

void
receiver_hold(Receiver *receiver, const uint8_t *delta, size_t delta_size,
			  const char *text, size_t size)
{
	uint64_t	dropped;

	memcpy(receiver->early, delta, delta_size);
	memcpy(receiver->early_text, text, size);
	receiver->early_size = (uint16_t) size;
	pt621_chain_hold(&receiver->chain, receiver->early, delta_size, 0, &dropped);
}

bool
receiver_holds(const Receiver *receiver)
{
	return receiver->chain.helds > 0;
}
