/*
 * udp_path.c
 *		Datagrams, and the paths that they come by.
 *
 * A path is the address and port of a sender.  It has no beginning and no end of
 * its own: it is made by its first datagram, and forgotten when it is idle or
 * others need its place.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/session_private.h"
#include "pg/settings.h"
#include "pg/shared.h"

/* A datagram, or the rest of one, that the batch had no room for. */
typedef struct Spill
{
	slist_node	node;
	Session    *session;
	TimestampTz received_at;
	Pt621Splitter splitter;
	Size		size;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} Spill;

static Size
address_size(const struct sockaddr *peer)
{
	return peer->sa_family == AF_INET ? 4 : 16;
}

static uint32
path_bucket(const struct sockaddr *peer)
{
	const void *address = peer->sa_family == AF_INET ?
		(const void *) &((const struct sockaddr_in *) peer)->sin_addr :
		(const void *) &((const struct sockaddr_in6 *) peer)->sin6_addr;
	uint32		port = peer->sa_family == AF_INET ?
		((const struct sockaddr_in *) peer)->sin_port :
		((const struct sockaddr_in6 *) peer)->sin6_port;

	/* Not to be foreseen, or forged senders could all meet in one bucket. */
	return (uint32) (hash_bytes_extended(address, (int) address_size(peer),
										 (uint64) MyStartTimestamp ^ (uint64) MyProcPid) ^
					 hash_bytes_uint32(port)) % PATH_BUCKETS;
}

/* Gives the address that a path's datagrams come from. */
void
path_address(const Session *session, struct sockaddr_storage *peer)
{
	const inet *address = &session->source.peer.inet;

	memset(peer, 0, sizeof(*peer));
	if (ip_family(address) == PGSQL_AF_INET)
	{
		struct sockaddr_in *in = (struct sockaddr_in *) peer;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16) session->source.peer_port);
		memcpy(&in->sin_addr, ip_addr(address), 4);
	}
	else
	{
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) peer;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16) session->source.peer_port);
		memcpy(&in6->sin6_addr, ip_addr(address), 16);
	}
}

/* Forgets a UDP path; the units that came by it keep its source. */
void
path_forget(Sessions *sessions, Session *session)
{
	Session   **link;
	struct sockaddr_storage peer;

	path_address(session, &peer);
	link = &sessions->path[path_bucket((struct sockaddr *) &peer)];
	while (*link && *link != session)
		link = &(*link)->next_path;
	if (*link)
		*link = session->next_path;
	sessions->paths--;
	dlist_delete(&session->active);
	session_release_slot(session);
	session->ended = true;
	session_forget(sessions, session);
}

/*
 * Forgets the path heard of least recently, of those by which no tracker of ours
 * has reported if there is one; false when there is none at all.
 */
static bool
forget_oldest(Sessions *sessions)
{
	for (int rank = RANK_STRANGE_PATH; rank <= RANK_PATH; rank++)
	{
		dlist_head *paths = &sessions->active[rank];

		if (dlist_is_empty(paths))
			continue;
		path_forget(sessions, dlist_head_element(Session, active, paths));
		return true;
	}
	return false;
}

/* Finds the path of a datagram's sender, or makes it. */
static Session *
find_path(Sessions *sessions, const struct sockaddr *peer)
{
	Session   **bucket = &sessions->path[path_bucket(peer)];
	Session    *session;
	Source		wanted = {0};
	CloseReason reason;

	source_set_peer(&wanted, peer);
	for (session = *bucket; session; session = session->next_path)
	{
		if (session->source.peer_port == wanted.peer_port &&
			memcmp(session->source.peer.bytes, wanted.peer.bytes,
				   sizeof(wanted.peer.bytes)) == 0)
			return session;
	}
	session = session_new(sessions, peer, true);
	if (session == NULL)
		return NULL;
	/* Senders can be forged at will: another path gives way, never this one. */
	dlist_delete(&session->active);
	session->source.slot = connections_open(&session->source, true, &reason);
	if (session->source.slot == NULL && forget_oldest(sessions))
		session->source.slot = connections_open(&session->source, true, &reason);
	/* Where other workers have all the places it goes without, but not for ever. */
	if (sessions->paths >= setting_max_connections)
		forget_oldest(sessions);
	dlist_push_tail(&sessions->active[session->rank], &session->active);
	session->next_path = *bucket;
	*bucket = session;
	sessions->paths++;
	return session;
}

/* Keeps a datagram, or what is left of one, until the batch has room. */
static void
keep_spill(Sessions *sessions, Session *session, TimestampTz received_at,
		   const Pt621Splitter *splitter, const uint8 *data, Size size)
{
	Spill	   *kept = MemoryContextAllocExtended(sessions->context,
												  offsetof(Spill, bytes) + size,
												  MCXT_ALLOC_NO_OOM);

	if (kept == NULL)
	{
		shared_count(COUNT_DROPPED, 1); /* as if the network had lost it */
		return;
	}
	sessions->pending += size;
	kept->session = session;
	kept->received_at = received_at;
	kept->splitter = *splitter;
	kept->size = size;
	memcpy(kept->bytes, data, size);
	session->source.references++;
	slist_push_head(&sessions->spill, &kept->node);
}

void
sessions_forget_sockets(Sessions *sessions)
{
	for (int rank = RANK_STRANGE_PATH; rank <= RANK_PATH; rank++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &sessions->active[rank])
			dlist_container(Session, active, iter.cur)->socket = NULL;
	}
}

void
sessions_datagram(Sessions *sessions, void *socket, const struct sockaddr *peer,
				  const uint8 *data, Size size)
{
	Pt621Splitter splitter = {0};
	Session    *session;
	TimestampTz now;
	Size		taken;
	bool		more;

	if (size == 0 || (peer->sa_family != AF_INET && peer->sa_family != AF_INET6))
		return;
	session = find_path(sessions, peer);
	if (session == NULL)
	{
		shared_count(COUNT_DROPPED, 1);
		return;
	}
	now = GetCurrentTimestamp();
	session_touch(sessions, session, now);
	session->received_at = now;
	session->socket = socket;
	session_count_bytes(session, now, size);
	if (session->source.ident.size == 0 &&
		session_is_foreign(sessions, session, data, size, &more))
		return;
	taken = session_split(sessions, session, &splitter, now, data, size,
						  PT621_INPUT_END);
	if (taken < size)
		keep_spill(sessions, session, now, &splitter, data + taken, size - taken);
}

/* Takes in spilled datagrams in the order in which they came. */
void
paths_resume(Sessions *sessions)
{
	slist_head	in_order;
	slist_head	left;

	slist_init(&in_order);
	slist_init(&left);
	while (!slist_is_empty(&sessions->spill))
		slist_push_head(&in_order, slist_pop_head_node(&sessions->spill));
	while (!slist_is_empty(&in_order))
	{
		slist_node *node = slist_pop_head_node(&in_order);
		Spill	   *kept = slist_container(Spill, node, node);
		Size		taken = session_split(sessions, kept->session, &kept->splitter,
										  kept->received_at, kept->bytes, kept->size,
										  PT621_INPUT_END);

		sessions->pending -= taken;
		if (taken < kept->size)
		{
			kept->size -= taken;
			memmove(kept->bytes, kept->bytes + taken, kept->size);
			slist_push_head(&left, node);
			continue;
		}
		source_release(&kept->session->source);
		pfree(kept);
	}
	/* `left` is last first again, as `spill` is. */
	sessions->spill = left;
}
