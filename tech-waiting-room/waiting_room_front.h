/* What the files of the waiting room's HTTP front share and nobody else sees.
 *
 *	waiting_room_routes.c     the table, opening and closing, starting and stopping
 *	waiting_room_join.c       join: limits, body, token
 *	waiting_room_person.c     one person's place: poll, heartbeat, leave, stream
 *	waiting_room_passes.c     verify, claim, release
 *	waiting_room_gate.c       claiming by a call, for a service in the same process
 *	waiting_room_admin.c      the room: how it stands, its settings, its lobby
 *	waiting_room_lane.c       a lane: batches sorted into calls, ticks
 *	waiting_room_calls.c      what each operation does with its batch: people's places,
 *	waiting_room_pass_calls.c passes,
 *	waiting_room_room_calls.c and the room itself
 *	waiting_room_turn.c       a room's turn: admit, publish, shuffle
 *	waiting_room_follow.c     a room's turn: its streams
 *	waiting_room_reply.c      replies by hand, without any allocation but the exchange's arena
 *	waiting_room_metrics.c    counters, and a room's gauges
 *
 * Who owns what: a request belongs to its loop until it is submitted, then to its lane, which
 * completes the exchange. A room belongs to its lane; loops read its snapshot, its channel and its
 * order. */
#pragma once

#include "lib/batch/lane.h"
#include "lib/http/limiter.h"
#include "lib/http/stream.h"
#include "lib/ticketing/place_token.h"
#include "lib/ticketing/shuffle.h"
#include "tech-waiting-room/waiting_room_directory.h"
#include "tech-waiting-room/waiting_room_followers.h"
#include "tech-waiting-room/waiting_room_gate.h"
#include "tech-waiting-room/waiting_room_routes.h"

enum {
	FRONT_LANES_DEFAULT = 2,
	FRONT_QUEUE_DEFAULT = 16384,
	FRONT_JOINS_PER_SECOND_DEFAULT = 50,
	FRONT_JOINS_BURST_DEFAULT = 200,
	FRONT_LIST_MS_DEFAULT = 2000,
	FRONT_LOBBY_PAGE_MAX = 1000,    /* Entries in one page of the lobby's list. */
	FRONT_TURNS_PER_TICK_MAX = 32,  /* Rooms that get a turn between two batches. */
	FRONT_MINUTE_SLOTS = 61,        /* Seconds, and the one that runs. */
	FRONT_BODY_BYTES_MAX = 4 << 10, /* Of any request here. */
	FRONT_STANDING_SIZE = 1280, /* Of a person's standing as JSON: two tokens, and the rest. */
};

_Static_assert((int)FRONT_STANDING_SIZE >= 2 * (int)TOKEN_TEXT_SIZE + 512, "all of it fits");

enum front_operation {
	FRONT_CONFIGURE,
	FRONT_JOIN,
	FRONT_POLL,
	FRONT_STREAM, /* The room is not known here yet: look, and let the client ask again. */
	FRONT_FOLLOW, /* Without an exchange: a stream has begun. */
	FRONT_HEARTBEAT,
	FRONT_LEAVE,
	FRONT_VERIFY,
	FRONT_CLAIM,
	FRONT_RELEASE,
	FRONT_LET_OUT, /* Without an exchange: the slot is not needed any more. */
	FRONT_REFRESH, /* With or without one: the room was set by somebody else. */
	FRONT_VIEW,
	FRONT_LOBBY,
	FRONT_OPERATIONS, /* How many there are. */
};

/* Settings of which not each was given. */
struct front_settings {
	struct waiting_room_settings settings;
	bool has_rate, has_active_max, has_claim, has_heartbeat, has_session, has_start;
};

/* A request on its way through a lane: in its exchange's arena, or of the heap when it has no
 * exchange. Its slices point into the exchange or into its own bytes. */
struct front_request {
	struct lane_item item;
	enum front_operation operation;
	struct http_exchange *exchange; /* NULL: FRONT_FOLLOW, FRONT_LET_OUT, FRONT_REFRESH. */
	struct front_request *next;     /* In its group. */
	struct slice event;
	uint64_t hash;
	struct slice person;
	struct place_token token; /* Of epoch 0: none was shown. */
	struct pass pass;         /* Likewise. */
	struct front_settings settings;
	int64_t from, limit;
	/* FRONT_CLAIM by a call (waiting_room_gate.h): who is told instead of a reply. */
	void (*then)(void *context, struct http_exchange *exchange,
		enum waiting_room_pass_verdict verdict);
	void *then_context;
	unsigned reply_status; /* FRONT_REFRESH */
	struct token_bytes token_bytes, pass_bytes;
};

/* Those of a batch that one call can serve. */
struct front_group {
	enum front_operation operation;
	struct slice event;
	uint64_t hash;
	struct front_request *first, *last;
	size_t count;
};

/* The places of a lobby, once shuffled. */
struct room_order {
	struct room_order *older; /* Still read, perhaps; freed at the end. */
	struct shuffle *shuffle;
	int64_t epoch;
};

/* Keys of streams that are open, as one loop has told them. */
struct seen_people {
	struct seen_people *next;
	int64_t seen_ms;
	size_t count;
	struct seen_person {
		uint8_t size;
		char person[WAITING_ROOM_PERSON_SIZE_MAX];
	} people[];
};

struct front_room {
	struct listed_room listed; /* First. */
	struct front_lane *lane;
	struct http_channel *channel;
	struct http_key_visit visit;
	_Atomic(struct room_order *) order; /* NULL: not shuffled, or not computed yet. */
	_Atomic(struct seen_people *) seen; /* Pushed by loops, taken by the lane. */
	atomic_bool ordering;               /* The shuffler is at it, and has what follows. */
	struct lane_item order_item;
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	int64_t order_size, order_epoch;

	/* The lane's own. */
	struct room_snapshot snapshot;
	struct room_snapshot announced; /* What the streams were told last. */
	int64_t announced_ms, announced_for_all_ms;
	struct arrival_estimate estimate;
	struct minute_slot {
		int64_t second, admitted;
	} minute[FRONT_MINUTE_SLOTS];
	struct followers followers;
	int64_t followed_epoch; /* That its followers belong to. */
	int64_t turn_ms;        /* When it gets its next turn: the earliest of what follows. */
	int64_t admit_ms;       /* When people are called next. */
	int64_t admitted_ms;    /* When they were called last. */
	int64_t announce_ms;    /* When the streams are told next; LANE_NEVER: nothing to tell. */
	int64_t follow_ms;      /* When a follower is due next. */
	int64_t visit_ms;       /* When the loops are asked next who is still there. */
};

struct front_lane {
	struct waiting_room_routes *routes;
	struct waiting_room *adapter;
	struct lane *lane;
	size_t batch_max;
	int64_t poll_ms;
	struct room_directory directory;
	struct front_room *rooms[WAITING_ROOM_EVENTS_MAX];
	_Atomic size_t room_count;
	size_t turn;         /* The room that comes first in the next tick. */
	int64_t list_ms;     /* When events are listed next. */
	atomic_bool answers; /* The technology answered last time. */
	bool complained;

	/* Reused for each call; batch_max of each. */
	struct join_request *joins;
	struct join_result *joined;
	struct person_request *asked;
	struct person_result *found;
	struct front_request **chosen;
	struct follower **followers;
	struct admission *admissions;
	struct front_group *groups;
	uint16_t *group_slots;
	size_t group_slot_count;
	char (*names)[WAITING_ROOM_PERSON_SIZE_MAX + 1];
};

struct front_metrics {
	struct metrics_counter *joins_new, *joins_again, *joins_restored, *joins_refused;
	struct metrics_counter *joins_limited;
	struct metrics_counter *admissions, *passes_told;
	struct metrics_counter *verified, *claimed, *left;
	struct metrics_counter *polls_from_memory, *polls_asked;
	struct metrics_counter *calls_failed;
};

struct waiting_room_routes {
	struct waiting_room_routes_options options;
	struct http_server *server;
	struct front_lane *lanes;
	size_t lane_count;
	atomic_bool started;
	struct http_limiter *limiter;
	struct lane *shuffler;
	struct front_metrics metrics;
};

_Static_assert((int)WAITING_ROOM_EVENT_SIZE_MAX == (int)TOKEN_FIELD_SIZE_MAX &&
		(int)WAITING_ROOM_PERSON_SIZE_MAX == (int)TOKEN_FIELD_SIZE_MAX,
	"what a room takes, a token holds");
_Static_assert((int)WAITING_ROOM_PERSON_SIZE_MAX <= (int)HTTP_STREAM_KEY_SIZE_MAX,
	"a person is a stream's key");
_Static_assert((int)FRONT_LOBBY_PAGE_MAX <= (int)WAITING_ROOM_BATCH_MAX,
	"a page of the lobby is one call");

/* ---- Shared by the handlers ---- */

/* The routes that serve this exchange. */
struct waiting_room_routes *front_of(const struct http_exchange *exchange);

/* The lane of the event with this hash. */
struct front_lane *front_lane_of(struct waiting_room_routes *routes, uint64_t hash);

/* The room as this process knows it, or NULL. Any thread. */
struct front_room *front_find_room(
	struct waiting_room_routes *routes, struct slice event, uint64_t hash);

/* The path's event. False: it is no event's id, or has no room as far as is known; it was replied.
 */
bool front_path_event(struct http_exchange *exchange, struct slice *event);

/* Whether the request has the admin's token; if not, 401 was replied. */
bool front_is_admin(struct http_exchange *exchange);

/* A request in the exchange's arena, cleared but for its bytes. NULL: it was replied. */
struct front_request *front_request_new(
	struct http_exchange *exchange, enum front_operation operation);

/* Hand it over; when the lane takes no more, it is replied. The second where the exchange is of
 * another front's route. */
void front_submit(struct front_request *request);
void front_submit_to(struct waiting_room_routes *routes, struct front_request *request);

/* Read the settings in the body of PUT …/waiting-room into `given`, which is cleared. What is set
 * is in its range, and has_… says what was given; the state always is. False: it was replied. */
bool front_read_settings(struct http_exchange *exchange, struct front_settings *given);

/* Read the token in the path. False: it was replied. */
bool front_path_token(
	struct http_exchange *exchange, struct token_bytes *bytes, struct place_token *token);

/* ---- What is known from memory ---- */

enum front_knowledge {
	FRONT_KNOWN, /* The person is in the lobby or waits, as `state` and `place` say. */
	FRONT_ASK,   /* The place has been called, or the token is not of this epoch. */
};

struct front_standing {
	enum person_state state;
	int64_t place, rank;      /* 0: none. */
	struct slice place_token; /* A new one for the client to go on with; empty: none. */
	struct slice pass;        /* Empty: none. */
	int64_t pass_ends_at_ms;
};

/* How the holder of the token stands, as far as can be told without asking. */
enum front_knowledge front_standing_of(const struct front_room *room,
	const struct room_snapshot *snapshot, const struct place_token *token,
	struct front_standing *standing);

/* The place of a lobby's rank, or 0 while it is not known here. */
int64_t front_place_of_rank(
	const struct front_room *room, const struct room_snapshot *snapshot, int64_t rank);

/* ---- Replies; any thread that has the exchange ---- */

extern const struct http_problem front_problem_forbidden;
extern const struct http_problem front_problem_gone;
extern const struct http_problem front_problem_limited;

/* A person's standing as JSON. */
void front_reply_standing(struct http_exchange *exchange, unsigned status,
	const struct room_snapshot *snapshot, const struct front_standing *standing);

/* The same object, for an event of a stream. */
struct slice front_standing_text(char text[FRONT_STANDING_SIZE],
	const struct room_snapshot *snapshot, const struct front_standing *standing);

/* The room as JSON. */
void front_reply_view(struct http_exchange *exchange, unsigned status, struct slice event,
	const struct room_snapshot *snapshot);

void front_reply_no_room(struct http_exchange *exchange);

/* The technology did not do it. */
void front_reply_failed(struct http_exchange *exchange, enum status status);

/* Reply 503 and complete. */
void front_refuse(struct front_request *request, const char *why);

/* As the API writes them; never NULL. */
const char *front_room_state_name(enum waiting_room_state state);
const char *front_person_state_name(enum person_state state);

/* ---- Tokens and passes ---- */

/* Sign what a join or a call gave. Returns its size. */
size_t front_make_token(const struct waiting_room_routes *routes, struct slice event,
	struct slice person, int64_t place, int64_t rank, int64_t epoch, int64_t now_wall_ms,
	char text[TOKEN_TEXT_SIZE]);
size_t front_make_pass(const struct waiting_room_routes *routes, struct slice event,
	struct slice person, const struct room_snapshot *snapshot,
	const struct person_result *result, char text[TOKEN_TEXT_SIZE]);

/* ---- A lane's parts; its own thread ---- */

/* Whether a call went well; counts and logs when it did not, and remembers for /readyz. */
bool front_answered(struct front_lane *lane, const char *what, enum status status);

/* The event's room, made known here where it was not. OK with NULL: there is none. */
enum status front_load_room(
	struct front_lane *lane, struct slice event, uint64_t hash, struct front_room **room);

/* Make the calls for a group and complete its exchanges. */
void front_apply_group(struct front_lane *lane, const struct front_group *group);

/* How the room stands now: publish it. */
void front_room_viewed(struct front_room *room, const struct waiting_room_view *view);

/* Something may have changed that lets people in: turn soon. */
void front_room_stirred(struct front_room *room, int64_t now_ms);

/* Give the room its turn. */
void front_room_turn(struct front_room *room, int64_t now_ms);

/* Its streams' part of the turn: what is due now. Sets `follow_ms`. */
void front_room_follow(struct front_room *room, int64_t now_ms);

/* Make the calls about people: lane->asked to lane->found, lane->joins to lane->joined. */
typedef enum status (*front_person_call)(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count);
enum status front_call_people(
	struct front_room *room, const char *what, front_person_call call, size_t count);
enum status front_call_join(struct front_room *room, size_t count);

/* What a request says of its person; and of all of a group, in lane->asked, those who ask in
 * lane->chosen. Returns how many. */
struct person_request front_person_of(const struct front_request *request);
size_t front_ask_all(struct front_room *room, const struct front_group *group);

/* Reply to each of the group the same: there is no such room (OK), or it could not be asked. */
void front_fail_group(const struct front_group *group, enum status status);

/* waiting_room_pass_calls.c, waiting_room_room_calls.c */
void front_apply_passes(struct front_room *room, const struct front_group *group);
void front_apply_let_outs(struct front_room *room, const struct front_group *group);
void front_apply_views(struct front_room *room, const struct front_group *group);
void front_apply_lobby(struct front_room *room, const struct front_group *group);
void front_apply_configurations(struct front_lane *lane, const struct front_group *group);
void front_apply_refreshes(struct front_lane *lane, const struct front_group *group);

/* A stream has begun. Frees the request. */
void front_follow(struct front_room *room, struct front_request *request);

/* Something became of a person, by another request: if the person follows here, ask at once. */
void front_follower_stirred(struct front_room *room, struct slice person, int64_t now_ms);

/* The loops tell whose streams are open. Any thread. */
void front_see_people(void *room, const struct slice people[], size_t count);

/* Start computing the places of a lobby that has been shuffled. */
void front_order_lobby(struct front_room *room);

extern const struct lane_ops front_lane_ops;
extern const struct lane_ops front_shuffler_ops;

enum status front_lane_open(
	struct front_lane *lane, struct waiting_room_routes *routes, struct fault *fault);
void front_lane_close(struct front_lane *lane);

/* ---- Metrics ---- */

void front_metrics_open(struct front_metrics *metrics, struct metrics *registry);

/* ---- Handlers ---- */

void front_join(struct http_exchange *exchange);
void front_view(struct http_exchange *exchange);
void front_configure(struct http_exchange *exchange);
void front_lobby(struct http_exchange *exchange);
void front_poll(struct http_exchange *exchange);
void front_stream(struct http_exchange *exchange);
void front_heartbeat(struct http_exchange *exchange);
void front_leave(struct http_exchange *exchange);
void front_verify(struct http_exchange *exchange);
void front_claim(struct http_exchange *exchange);
void front_release(struct http_exchange *exchange);

static inline struct front_room *front_room_of(struct listed_room *listed)
{
	return (struct front_room *)listed;
}

static inline bool front_has_token(const struct front_request *request)
{
	return request->token.epoch > 0;
}

static inline bool front_has_pass(const struct front_request *request)
{
	return request->pass.epoch > 0;
}
