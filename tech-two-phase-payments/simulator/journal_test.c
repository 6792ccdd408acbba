/* The journal: what was committed is there again, whatever the end of the file looks like; and
 * damage is not taken for a crash. */
#include "tech-two-phase-payments/simulator/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tech-two-phase-payments/simulator/records.h"

static char folder[] = "/tmp/journal-test-XXXXXX";
static char path[64];
static char seen[256]; /* What was replayed: "1:abc;2:de;" */

static bool note(void *context, unsigned type, struct slice content, struct span span)
{
	(void)context;
	assert_int_equal(content.size, span.size);
	size_t size = strlen(seen);
	snprintf(seen + size, sizeof seen - size, "%u:%.*s;", type, SLICE_PRINT(content));
	return type != 99;
}

static enum status open_again(struct journal **journal)
{
	struct fault fault = {0};
	seen[0] = '\0';
	enum status status = journal_open(path, note, NULL, journal, &fault);
	assert_true(status == STATUS_OK || fault.what[0] != '\0');
	return status;
}

static struct span add(struct journal *journal, unsigned type, const char *text)
{
	buffer_add_text(journal_begin(journal, type), text);
	return journal_end(journal);
}

static off_t file_size(void)
{
	struct stat file;
	assert_int_equal(0, stat(path, &file));
	return file.st_size;
}

static struct journal *make(void)
{
	struct journal *journal;
	unlink(path);
	assert_int_equal(STATUS_OK, open_again(&journal));
	assert_string_equal("", seen);
	return journal;
}

static void test_what_is_committed_comes_back(void **state)
{
	(void)state;
	struct journal *journal = make();
	struct buffer content;
	add(journal, 1, "abc");
	struct span second = add(journal, 2, "de");
	buffer_init(&content, 100);
	assert_int_equal(STATUS_OK, journal_read(journal, second, &content));
	assert_int_equal(STATUS_OK, journal_commit(journal));
	add(journal, 3, "");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	assert_int_equal(STATUS_OK, journal_commit(journal)); /* Nothing to do. */
	add(journal, 4, "never committed");
	assert_int_equal(STATUS_OK, journal_read(journal, second, &content));
	assert_true(slice_is(buffer_slice(&content), "dede"));
	journal_close(journal);
	assert_int_equal(STATUS_OK, open_again(&journal));
	assert_string_equal("1:abc;2:de;3:;", seen);
	buffer_reset(&content);
	assert_int_equal(STATUS_OK, journal_read(journal, second, &content));
	assert_true(slice_is(buffer_slice(&content), "de"));
	buffer_release(&content);
	journal_close(journal);
}

/* Cut at each byte of the last frame, the frames before are there and the rest is gone. */
static void test_every_torn_end_is_cut_off(void **state)
{
	(void)state;
	struct journal *journal = make();
	add(journal, 1, "kept");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	off_t kept = file_size();
	add(journal, 2, "torn");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	off_t whole = file_size();
	journal_close(journal);
	for (off_t size = whole - 1; size >= kept; size--) {
		assert_int_equal(0, truncate(path, size));
		assert_int_equal(STATUS_OK, open_again(&journal));
		assert_string_equal("1:kept;", seen);
		assert_int_equal(kept, file_size());
		add(journal, 2, "torn");
		assert_int_equal(STATUS_OK, journal_commit(journal));
		journal_close(journal);
		assert_int_equal(whole, file_size());
	}
}

static void write_at(off_t offset, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal((ssize_t)size, pwrite(fd, bytes, size, offset));
	close(fd);
}

/* The disk may have made the file longer and not yet written into it. */
static void test_zeros_at_the_end_are_cut_off(void **state)
{
	(void)state;
	struct journal *journal = make();
	add(journal, 1, "kept");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	journal_close(journal);
	assert_int_equal(0, truncate(path, file_size() + 5000));
	assert_int_equal(STATUS_OK, open_again(&journal));
	assert_string_equal("1:kept;", seen);
	journal_close(journal);
}

static void test_damage_in_the_middle_is_refused(void **state)
{
	(void)state;
	struct journal *journal = make();
	off_t first = file_size();
	add(journal, 1, "damaged");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	off_t second = file_size();
	add(journal, 2, "sound");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	journal_close(journal);
	for (off_t at = first; at < second; at++) {
		char byte = 0;
		int fd = open(path, O_RDONLY);
		assert_int_equal(1, pread(fd, &byte, 1, at));
		close(fd);
		char wrong = (char)(byte ^ 0x55);
		write_at(at, &wrong, 1);
		assert_int_equal(STATUS_REFUSED, open_again(&journal));
		write_at(at, &byte, 1);
	}
	assert_int_equal(STATUS_OK, open_again(&journal));
	assert_string_equal("1:damaged;2:sound;", seen);
	journal_close(journal);
}

static void test_other_files_are_left_alone(void **state)
{
	(void)state;
	static const char text[] = "something that somebody wrote and still needs\n";
	struct journal *journal;
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal((ssize_t)sizeof text, write(fd, text, sizeof text));
	close(fd);
	assert_int_equal(STATUS_REFUSED, open_again(&journal));
	assert_int_equal(sizeof text, file_size());
	unlink(path);
}

static void test_only_one_has_it_open(void **state)
{
	(void)state;
	struct journal *journal = make(), *second;
	assert_int_equal(STATUS_REFUSED, open_again(&second));
	journal_close(journal);
	assert_int_equal(STATUS_OK, open_again(&second));
	journal_close(second);
}

static void test_a_record_without_sense_is_refused(void **state)
{
	(void)state;
	struct journal *journal = make();
	add(journal, 99, "x");
	assert_int_equal(STATUS_OK, journal_commit(journal));
	journal_close(journal);
	assert_int_equal(STATUS_REFUSED, open_again(&journal));
}

/* ---- Records ---- */

static bool replay(void *context, unsigned type, struct slice content, struct span span)
{
	(void)span;
	return record_replay(context, type, content);
}

static struct intent sample(void)
{
	static char description[] = "Two seats", metadata[] = "{\"orderId\":\"o-1\"}";
	return (struct intent){.id = "pi_sample",
		.charge = "ch_sample",
		.secret = "s3cret",
		.currency = "eur",
		.status = INTENT_REQUIRES_CAPTURE,
		.capture = CAPTURE_MANUAL,
		.card = card_find(slice_of("pm_card_visa")),
		.failure = decline_at(3),
		.amount = 4500,
		.capturable = 4500,
		.created_s = 1700000000,
		.capture_before_ms = 1700000000000,
		.description = description,
		.metadata = metadata};
}

static void write_sample(struct journal *journal)
{
	struct intent intent = sample();
	struct refund refund = {
		.id = "re_1", .intent = &intent, .amount = 7, .reason = "duplicate"};
	struct ledger_entry entry = {LEDGER_REFUND, &intent, &refund, 7, 1234};
	struct key *key = key_new(slice_of("key-1"));
	assert_non_null(key);
	key->status = 402;
	key->kind = ANSWER_DECLINED;
	key->answer = record_intent(journal, &intent);
	record_refund(journal, &refund);
	record_ledger(journal, &entry);
	record_key(journal, key);
	intent.capturable = 0;
	intent.status = INTENT_CANCELED;
	record_intent(journal, &intent);
	free(key);
	assert_int_equal(STATUS_OK, journal_commit(journal));
}

static void test_the_state_comes_back(void **unused)
{
	(void)unused;
	struct journal *journal = make();
	struct state state;
	struct fault fault;
	struct key *key = NULL;
	const uint8_t print[KEY_FINGERPRINT_SIZE] = {0};
	write_sample(journal);
	journal_close(journal);
	state_init(&state);
	assert_int_equal(STATUS_OK, journal_open(path, replay, &state, &journal, &fault));
	struct intent *intent = state_find_intent(&state, slice_of("pi_sample"));
	assert_non_null(intent);
	assert_int_equal(INTENT_CANCELED, intent->status);
	assert_int_equal(0, intent->capturable);
	assert_string_equal("{\"orderId\":\"o-1\"}", intent->metadata);
	assert_string_equal("Two seats", intent->description);
	assert_ptr_equal(decline_at(3), intent->failure);
	assert_ptr_equal(card_find(slice_of("pm_card_visa")), intent->card);
	struct refund *refund = state_find_refund(&state, slice_of("re_1"));
	assert_ptr_equal(intent, refund->intent);
	assert_string_equal("duplicate", refund->reason);
	assert_int_equal(1, state.ledger.count);
	assert_ptr_equal(refund, state.ledger.entries[0].refund);
	assert_int_equal(KEY_REPLAY, state_check_key(&state, slice_of("key-1"), print, &key));
	assert_int_equal(402, key->status);
	/* The answer is that of then, not of now. */
	struct buffer content;
	buffer_init(&content, 4096);
	assert_int_equal(STATUS_OK, journal_read(journal, key->answer, &content));
	struct intent *then = record_read_intent(buffer_slice(&content));
	assert_non_null(then);
	assert_int_equal(INTENT_REQUIRES_CAPTURE, then->status);
	assert_int_equal(4500, then->capturable);
	intent_free(then);
	buffer_release(&content);
	journal_close(journal);
	state_release(&state);
}

/* Cut anywhere, or with any byte changed, a record is refused or read, and nothing worse. */
static void test_records_that_are_wrong(void **unused)
{
	(void)unused;
	struct journal *journal = make();
	struct intent intent = sample();
	struct buffer content;
	buffer_init(&content, 4096);
	struct span span = record_intent(journal, &intent);
	assert_int_equal(STATUS_OK, journal_read(journal, span, &content));
	for (size_t size = 0; size < content.size; size++) {
		struct slice cut = {.data = content.data, .size = size};
		assert_null(record_read_intent(cut));
	}
	for (size_t i = 0; i < content.size; i++) {
		content.data[i] = (char)(content.data[i] ^ 0xff);
		intent_free(record_read_intent(buffer_slice(&content)));
		content.data[i] = (char)(content.data[i] ^ 0xff);
	}
	buffer_release(&content);
	journal_close(journal);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/journal", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_committed_comes_back),
		cmocka_unit_test(test_every_torn_end_is_cut_off),
		cmocka_unit_test(test_zeros_at_the_end_are_cut_off),
		cmocka_unit_test(test_damage_in_the_middle_is_refused),
		cmocka_unit_test(test_other_files_are_left_alone),
		cmocka_unit_test(test_only_one_has_it_open),
		cmocka_unit_test(test_a_record_without_sense_is_refused),
		cmocka_unit_test(test_the_state_comes_back),
		cmocka_unit_test(test_records_that_are_wrong),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
