/* See waiting_room_followers.h. */
#include "tech-waiting-room/waiting_room_followers.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

static bool grow(struct followers *followers);
static void detach(struct followers *followers, struct follower *follower);
static void heap_remove(struct followers *followers, size_t index);
static void sift_up(struct followers *followers, size_t index);
static void sift_down(struct followers *followers, size_t index);

/* Whoever fills a chain by choosing ids has first to join with each of them. */
static uint64_t person_hash(struct slice person)
{
	return slice_hash(person, 0);
}

struct follower *followers_find(const struct followers *followers, struct slice person)
{
	if (followers->bucket_count == 0)
		return NULL;
	uint64_t hash = person_hash(person);
	struct follower *follower = followers->buckets[hash & (followers->bucket_count - 1)];
	while (follower &&
		(follower->hash != hash || !slice_equal(follower_person(follower), person)))
		follower = follower->bucket_next;
	return follower;
}

struct follower *followers_add(struct followers *followers, struct slice person)
{
	assert(person.size >= 1 && person.size <= WAITING_ROOM_PERSON_SIZE_MAX);
	struct follower *follower = followers_find(followers, person);
	if (follower)
		return follower;
	if (followers->count == followers->bucket_count && !grow(followers))
		return NULL;
	follower = calloc(1, sizeof *follower);
	if (!follower)
		return NULL;
	follower->hash = person_hash(person);
	follower->person_size = (uint8_t)person.size;
	memcpy(follower->person, person.data, person.size);
	struct follower **bucket =
		&followers->buckets[follower->hash & (followers->bucket_count - 1)];
	follower->bucket_next = *bucket;
	*bucket = follower;
	followers->count++;
	follower->standing = FOLLOWER_STANDINGS; /* In no list yet. */
	followers_move(followers, follower, FOLLOWER_CALLED);
	return follower;
}

/* Twice as many buckets, and a heap with a place for everybody, so that moving needs no memory. */
static bool grow(struct followers *followers)
{
	size_t count = followers->bucket_count > 0 ? 2 * followers->bucket_count : BUCKETS_FIRST;
	struct follower **heap = realloc(followers->heap, count * sizeof(struct follower *));
	if (!heap)
		return false;
	followers->heap = heap;
	struct follower **buckets = calloc(count, sizeof(struct follower *));
	if (!buckets)
		return false;
	for (size_t i = 0; i < followers->bucket_count; i++) {
		for (struct follower *follower = followers->buckets[i], *next; follower;
			follower = next) {
			next = follower->bucket_next;
			follower->bucket_next = buckets[follower->hash & (count - 1)];
			buckets[follower->hash & (count - 1)] = follower;
		}
	}
	free(followers->buckets);
	followers->buckets = buckets;
	followers->bucket_count = count;
	return true;
}

void followers_move(
	struct followers *followers, struct follower *follower, enum follower_standing standing)
{
	assert(standing < FOLLOWER_STANDINGS);
	detach(followers, follower);
	follower->standing = standing;
	if (standing == FOLLOWER_WAITS) {
		follower->heap_index = followers->heap_count;
		followers->heap[followers->heap_count++] = follower;
		sift_up(followers, follower->heap_index);
		return;
	}
	struct follower_list *list = &followers->lists[standing];
	follower->previous = list->last;
	follower->next = NULL;
	if (list->last)
		list->last->next = follower;
	else
		list->first = follower;
	list->last = follower;
}

struct follower *followers_first(const struct followers *followers, enum follower_standing standing)
{
	if (standing == FOLLOWER_WAITS)
		return followers->heap_count > 0 ? followers->heap[0] : NULL;
	return followers->lists[standing].first;
}

static void detach(struct followers *followers, struct follower *follower)
{
	if (follower->standing == FOLLOWER_STANDINGS)
		return;
	if (follower->standing == FOLLOWER_WAITS) {
		heap_remove(followers, follower->heap_index);
		return;
	}
	struct follower_list *list = &followers->lists[follower->standing];
	if (follower->previous)
		follower->previous->next = follower->next;
	else
		list->first = follower->next;
	if (follower->next)
		follower->next->previous = follower->previous;
	else
		list->last = follower->previous;
}

void followers_drop(struct followers *followers, struct follower *follower)
{
	detach(followers, follower);
	struct follower **link =
		&followers->buckets[follower->hash & (followers->bucket_count - 1)];
	while (*link != follower)
		link = &(*link)->bucket_next;
	*link = follower->bucket_next;
	followers->count--;
	free(follower);
}

void followers_drop_unseen(struct followers *followers, int64_t since_ms)
{
	for (size_t i = 0; i < followers->bucket_count; i++) {
		for (struct follower *follower = followers->buckets[i], *next; follower;
			follower = next) {
			next = follower->bucket_next;
			if (follower->seen_ms < since_ms)
				followers_drop(followers, follower);
		}
	}
}

void followers_return(struct followers *followers)
{
	for (enum follower_standing standing = 0; standing < FOLLOWER_STANDINGS; standing++)
		for (struct follower *follower; standing != FOLLOWER_RETURNS &&
			(follower = followers_first(followers, standing));)
			followers_move(followers, follower, FOLLOWER_RETURNS);
}

void followers_release(struct followers *followers)
{
	for (size_t i = 0; i < followers->bucket_count; i++)
		for (struct follower *follower = followers->buckets[i], *next; follower;
			follower = next) {
			next = follower->bucket_next;
			free(follower);
		}
	free(followers->buckets);
	free(followers->heap);
	*followers = (struct followers){0};
}

/* ---- The heap: each knows where it stands ---- */

static void heap_put(struct followers *followers, size_t index, struct follower *follower)
{
	followers->heap[index] = follower;
	follower->heap_index = index;
}

static void heap_remove(struct followers *followers, size_t index)
{
	struct follower *last = followers->heap[--followers->heap_count];
	if (index == followers->heap_count)
		return;
	heap_put(followers, index, last);
	sift_up(followers, index);
	sift_down(followers, last->heap_index);
}

static void sift_up(struct followers *followers, size_t index)
{
	struct follower *follower = followers->heap[index];
	for (size_t parent; index > 0; index = parent) {
		parent = (index - 1) / 2;
		if (followers->heap[parent]->place <= follower->place)
			break;
		heap_put(followers, index, followers->heap[parent]);
	}
	heap_put(followers, index, follower);
}

static void sift_down(struct followers *followers, size_t index)
{
	struct follower *follower = followers->heap[index];
	for (size_t child; (child = 2 * index + 1) < followers->heap_count; index = child) {
		if (child + 1 < followers->heap_count &&
			followers->heap[child + 1]->place < followers->heap[child]->place)
			child++;
		if (followers->heap[child]->place >= follower->place)
			break;
		heap_put(followers, index, followers->heap[child]);
	}
	heap_put(followers, index, follower);
}
