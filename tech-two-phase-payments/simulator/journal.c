/* See journal.h. */
#include "tech-two-phase-payments/simulator/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/log.h"

enum { FRAME_HEAD_SIZE = 12, RECORD_HEAD_SIZE = 5, FILE_MODE = 0600 };

static const char file_head[] = "onsale-simulator-journal 1\n";
static const uint32_t frame_magic = 0x4a4d4953; /* "SIMJ" */

struct journal {
	int fd;
	int64_t size;        /* On disk. */
	struct buffer frame; /* With room for its head in front. */
	size_t record;       /* Where the open record begins. */
};

static enum status read_file(
	struct journal *journal, journal_replay *replay, void *context, struct fault *fault);
static enum status write_all(int fd, const char *bytes, size_t size, int64_t offset);

/* ---- Opening ---- */

static enum status failed(struct fault *fault, const char *path, const char *what)
{
	fault_set(fault, path, "%s: %s", what, strerror(errno));
	return STATUS_UNAVAILABLE;
}

/* So that the file itself is found again after a crash of the machine. */
static enum status sync_folder(const char *path)
{
	char folder[4096] = ".";
	const char *slash = strrchr(path, '/');
	if (slash == path)
		snprintf(folder, sizeof folder, "/");
	else if (slash)
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return STATUS_UNAVAILABLE;
	int result = fsync(fd);
	close(fd);
	return result == 0 ? STATUS_OK : STATUS_UNAVAILABLE;
}

static enum status open_file(struct journal *journal, const char *path, struct fault *fault)
{
	struct stat file;
	journal->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (journal->fd < 0)
		return failed(fault, path, "cannot be opened");
	if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0)
		return fault_set(fault, path, "is used by another simulator");
	if (fstat(journal->fd, &file) != 0)
		return failed(fault, path, "cannot be read");
	journal->size = file.st_size;
	/* A crash while it was being made has left less than the head. */
	if (journal->size >= (int64_t)sizeof file_head - 1)
		return STATUS_OK;
	journal->size = sizeof file_head - 1;
	if (ftruncate(journal->fd, 0) != 0 ||
		write_all(journal->fd, file_head, sizeof file_head - 1, 0) != STATUS_OK ||
		fsync(journal->fd) != 0 || sync_folder(path) != STATUS_OK)
		return failed(fault, path, "cannot be made");
	return STATUS_OK;
}

static void frame_reset(struct journal *journal)
{
	static const char head[FRAME_HEAD_SIZE];
	buffer_reset(&journal->frame);
	buffer_add(&journal->frame, head, sizeof head);
}

enum status journal_open(const char *path, journal_replay *replay, void *context,
	struct journal **result, struct fault *fault)
{
	struct journal *journal = calloc(1, sizeof *journal);
	if (!journal) {
		fault_set(fault, path, "memory is short");
		return STATUS_UNAVAILABLE;
	}
	journal->fd = -1;
	buffer_init(&journal->frame, JOURNAL_FRAME_SIZE_MAX);
	enum status status = open_file(journal, path, fault);
	if (status == STATUS_OK)
		status = read_file(journal, replay, context, fault);
	if (status != STATUS_OK) {
		journal_close(journal);
		return status;
	}
	frame_reset(journal);
	*result = journal;
	return STATUS_OK;
}

void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	buffer_release(&journal->frame);
	free(journal);
}

/* ---- Reading ---- */

static uint32_t u32_at(const char *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

/* Whether a whole and sound frame stands at the beginning of `bytes`. */
static bool frame_is_sound(struct slice bytes)
{
	if (bytes.size < FRAME_HEAD_SIZE || u32_at(bytes.data) != frame_magic)
		return false;
	uint32_t size = u32_at(bytes.data + 4);
	if (size == 0 || size > bytes.size - FRAME_HEAD_SIZE)
		return false;
	return crc32(0, (const Bytef *)bytes.data + FRAME_HEAD_SIZE, size) ==
		u32_at(bytes.data + 8);
}

/* Whether a sound frame begins anywhere behind the first byte. */
static bool has_sound_frame_behind(struct slice bytes)
{
	while (bytes.size > 1) {
		bytes.data++;
		bytes.size--;
		const char *next = memmem(bytes.data, bytes.size, &frame_magic, sizeof frame_magic);
		if (!next)
			return false;
		bytes.size -= (size_t)(next - bytes.data);
		bytes.data = next;
		if (frame_is_sound(bytes))
			return true;
	}
	return false;
}

/* Hand the records of a frame over. False: one makes no sense. */
static bool replay_frame(
	struct slice payload, int64_t offset, journal_replay *replay, void *context)
{
	while (payload.size >= RECORD_HEAD_SIZE) {
		unsigned type = (uint8_t)payload.data[0];
		uint32_t size = u32_at(payload.data + 1);
		if (size > payload.size - RECORD_HEAD_SIZE)
			return false;
		struct slice content = {.data = payload.data + RECORD_HEAD_SIZE, .size = size};
		struct span span = {.offset = offset + RECORD_HEAD_SIZE, .size = size};
		if (!replay(context, type, content, span))
			return false;
		payload.data += RECORD_HEAD_SIZE + size;
		payload.size -= RECORD_HEAD_SIZE + size;
		offset += RECORD_HEAD_SIZE + size;
	}
	return payload.size == 0;
}

static enum status cut_off(struct journal *journal, int64_t offset, struct fault *fault)
{
	log_warning("journal.torn_end_cut", LOG_INTEGER("offset", offset),
		LOG_INTEGER("bytes", journal->size - offset));
	if (ftruncate(journal->fd, offset) != 0 || fsync(journal->fd) != 0)
		return failed(fault, "journal", "its torn end cannot be cut off");
	journal->size = offset;
	return STATUS_OK;
}

static enum status read_frames(struct journal *journal, struct slice bytes, journal_replay *replay,
	void *context, struct fault *fault)
{
	int64_t offset = sizeof file_head - 1;
	if (!slice_starts_with(bytes, file_head))
		return fault_set(fault, "journal", "this is no simulator's journal");
	while (offset < journal->size) {
		struct slice rest = {
			.data = bytes.data + offset, .size = (size_t)(journal->size - offset)};
		if (!frame_is_sound(rest) && has_sound_frame_behind(rest))
			return fault_set(
				fault, "journal", "is damaged at byte %lld", (long long)offset);
		if (!frame_is_sound(rest))
			return cut_off(journal, offset, fault);
		uint32_t size = u32_at(rest.data + 4);
		struct slice payload = {.data = rest.data + FRAME_HEAD_SIZE, .size = size};
		if (!replay_frame(payload, offset + FRAME_HEAD_SIZE, replay, context))
			return fault_set(
				fault, "journal", "makes no sense at byte %lld", (long long)offset);
		offset += FRAME_HEAD_SIZE + size;
	}
	return STATUS_OK;
}

static enum status read_file(
	struct journal *journal, journal_replay *replay, void *context, struct fault *fault)
{
	size_t size = (size_t)journal->size;
	char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, journal->fd, 0);
	if (bytes == MAP_FAILED)
		return failed(fault, "journal", "cannot be mapped");
	enum status status = read_frames(
		journal, (struct slice){.data = bytes, .size = size}, replay, context, fault);
	munmap(bytes, size);
	return status;
}

enum status journal_read(const struct journal *journal, struct span span, struct buffer *content)
{
	const struct buffer *frame = &journal->frame;
	if (span.offset >= journal->size) { /* In the frame that is not yet written. */
		size_t place = (size_t)(span.offset - journal->size);
		assert(place + span.size <= frame->size);
		buffer_add(content, frame->data + place, span.size);
		return content->failed ? STATUS_UNAVAILABLE : STATUS_OK;
	}
	char piece[4096];
	for (uint32_t done = 0; done < span.size;) {
		size_t want = span.size - done < sizeof piece ? span.size - done : sizeof piece;
		ssize_t got = pread(journal->fd, piece, want, span.offset + done);
		if (got <= 0)
			return STATUS_UNAVAILABLE;
		buffer_add(content, piece, (size_t)got);
		done += (uint32_t)got;
	}
	return content->failed ? STATUS_UNAVAILABLE : STATUS_OK;
}

/* ---- Writing ---- */

struct buffer *journal_begin(struct journal *journal, unsigned type)
{
	char head[RECORD_HEAD_SIZE] = {(char)type};
	journal->record = journal->frame.size;
	buffer_add(&journal->frame, head, sizeof head);
	return &journal->frame;
}

struct span journal_end(struct journal *journal)
{
	size_t content = journal->record + RECORD_HEAD_SIZE;
	if (journal->frame.failed)
		return (struct span){0};
	uint32_t size = (uint32_t)(journal->frame.size - content);
	memcpy(journal->frame.data + journal->record + 1, &size, sizeof size);
	return (struct span){.offset = journal->size + (int64_t)content, .size = size};
}

static enum status write_all(int fd, const char *bytes, size_t size, int64_t offset)
{
	while (size > 0) {
		ssize_t written = pwrite(fd, bytes, size, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return STATUS_UNAVAILABLE;
		bytes += written;
		size -= (size_t)written;
		offset += written;
	}
	return STATUS_OK;
}

enum status journal_commit(struct journal *journal)
{
	struct buffer *frame = &journal->frame;
	if (frame->failed)
		return STATUS_UNAVAILABLE;
	if (frame->size == FRAME_HEAD_SIZE)
		return STATUS_OK;
	uint32_t size = (uint32_t)(frame->size - FRAME_HEAD_SIZE);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)frame->data + FRAME_HEAD_SIZE, size);
	memcpy(frame->data, &frame_magic, sizeof frame_magic);
	memcpy(frame->data + 4, &size, sizeof size);
	memcpy(frame->data + 8, &crc, sizeof crc);
	if (write_all(journal->fd, frame->data, frame->size, journal->size) != STATUS_OK ||
		fdatasync(journal->fd) != 0)
		return STATUS_UNAVAILABLE;
	journal->size += (int64_t)frame->size;
	frame_reset(journal);
	return STATUS_OK;
}

int64_t journal_size(const struct journal *journal)
{
	return journal->size;
}
