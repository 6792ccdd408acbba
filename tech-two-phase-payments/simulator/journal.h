/* The simulator's memory on disk: one file that only grows.
 *
 * DESIGN. What a batch of requests has changed is written as one frame and synced once, before any
 * of them is answered (group commit); so the cost of the disk is shared by as many as wait for it.
 *
 *	file   = "onsale-simulator-journal 1\n" frame…
 *	frame  = magic u32, size u32, crc32 of the payload u32, payload
 *	payload = record…
 *	record = type u8, size u32, content
 *
 * Integers are little-endian. A frame is there as a whole or not at all: at the start the file is
 * read from its beginning, and a last frame that is cut short or does not match its checksum was
 * never acknowledged and is cut off. A frame that is broken but has a sound one behind it is damage
 * that no crash explains; then opening is refused.
 *
 * One thread. */
#pragma once

#include "lib/base/buffer.h"
#include "tech-two-phase-payments/simulator/state.h"

struct journal;

enum { JOURNAL_FRAME_SIZE_MAX = 64 << 20 };

/* Called for each record of an existing journal, in order. False: it makes no sense. */
typedef bool journal_replay(void *context, unsigned type, struct slice content, struct span span);

/* Open or make the file, replay it and cut off a torn end. REFUSED with a fault when it is not a
 * journal, is damaged, or somebody else has it open; UNAVAILABLE with one when the system fails. */
__attribute__((warn_unused_result)) enum status journal_open(const char *path,
	journal_replay *replay, void *context, struct journal **journal, struct fault *fault);

/* Without committing what was added since the last commit. NULL is allowed. */
void journal_close(struct journal *journal);

/* Add a record to the frame that the next commit writes. The content is added to the buffer that
 * this returns; journal_end tells where it will stand. */
struct buffer *journal_begin(struct journal *journal, unsigned type);
struct span journal_end(struct journal *journal);

/* Write what was added and wait until it is on disk. Nothing to do is OK. UNAVAILABLE: it is not
 * known what is on disk; the caller must end, since its memory is ahead of it. */
__attribute__((warn_unused_result)) enum status journal_commit(struct journal *journal);

/* Add the content at `span` to `content`, whether committed yet or not. */
__attribute__((warn_unused_result)) enum status journal_read(
	const struct journal *journal, struct span span, struct buffer *content);

/* How many bytes it has on disk. */
int64_t journal_size(const struct journal *journal);
