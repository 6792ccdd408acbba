/* A ring of slots by time, so that what is old falls out without being looked for. */
#include "lib/ticketing/arrival_estimate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* When as many as this should have come at the configured rate and nobody has, something other than
 * the rate holds them up (nobody finishes, say), and a guess from it would be a false promise. */
#define EXPECTED_MAX 10.0

struct measure {
	double seconds;
	double admitted;
};

void arrival_estimate_init(struct arrival_estimate *estimate)
{
	memset(estimate, 0, sizeof *estimate);
	estimate->last.now_ms = INT64_MIN;
}

/* Whether people were admitted as fast as could be, for the whole time since the last sample. */
static bool measures(const struct arrival_sample *last, const struct arrival_sample *sample)
{
	return last->admitting && last->waiting > 0 && sample->admitting &&
		sample->now_ms - last->now_ms <= ARRIVAL_SLOT_MS;
}

void arrival_estimate_add(struct arrival_estimate *estimate, const struct arrival_sample *sample)
{
	assert(sample->now_ms >= 0 && sample->rate_per_second > 0);
	const struct arrival_sample *last = &estimate->last;
	if (sample->now_ms < last->now_ms || sample->admitted < last->admitted)
		arrival_estimate_init(estimate);
	else if (last->now_ms >= 0 && measures(last, sample)) {
		/* What ends where a slot begins belongs to the one before. */
		int64_t number = (sample->now_ms - 1) / ARRIVAL_SLOT_MS;
		struct arrival_slot *slot = &estimate->slots[number % ARRIVAL_SLOTS_MAX];
		if (slot->number != number)
			*slot = (struct arrival_slot){.number = number};
		slot->measured_ms += sample->now_ms - last->now_ms;
		slot->admitted += (double)(sample->admitted - last->admitted);
	}
	estimate->last = *sample;
}

static bool is_recent(const struct arrival_slot *slot, int64_t now_ms)
{
	int64_t age = now_ms / ARRIVAL_SLOT_MS - slot->number;
	return slot->measured_ms > 0 && age >= 0 && age < ARRIVAL_SLOTS_MAX;
}

static struct measure measure_all(const struct arrival_estimate *estimate, int64_t now_ms)
{
	struct measure all = {0};
	for (size_t i = 0; i < ARRIVAL_SLOTS_MAX; i++) {
		const struct arrival_slot *slot = &estimate->slots[i];
		if (is_recent(slot, now_ms)) {
			all.seconds += (double)slot->measured_ms / 1000;
			all.admitted += slot->admitted;
		}
	}
	return all;
}

/* The variance of the slots' rates around the mean, each slot counting by its measured time. */
static double slot_variance(const struct arrival_estimate *estimate, int64_t now_ms, double mean)
{
	double sum = 0, seconds = 0;
	for (size_t i = 0; i < ARRIVAL_SLOTS_MAX; i++) {
		const struct arrival_slot *slot = &estimate->slots[i];
		if (is_recent(slot, now_ms)) {
			double measured = (double)slot->measured_ms / 1000;
			double difference = slot->admitted / measured - mean;
			sum += measured * difference * difference;
			seconds += measured;
		}
	}
	return sum / seconds;
}

struct arrival_pace arrival_estimate_pace(const struct arrival_estimate *estimate, int64_t now_ms)
{
	const struct arrival_sample *last = &estimate->last;
	struct arrival_pace pace = {.basis = ARRIVAL_UNKNOWN};
	if (last->now_ms < 0 || !last->admitting)
		return pace;
	double configured = last->rate_per_second;
	struct measure all = measure_all(estimate, now_ms);
	bool few = all.seconds * 1000 < ARRIVAL_MEASURED_MS_MIN || all.admitted < 1;
	if (few && all.admitted < 1 && all.seconds * configured > EXPECTED_MAX)
		return pace;
	if (few) {
		pace = (struct arrival_pace){
			.basis = ARRIVAL_CONFIGURED, .slow = configured / 2, .fast = configured};
		return pace;
	}
	double mean = all.admitted / all.seconds;
	/* Of n independent arrivals the rate is known to 1 in √n, however even the slots look. */
	double deviation = sqrt(slot_variance(estimate, now_ms, mean) + mean * mean / all.admitted);
	pace.basis = ARRIVAL_MEASURED;
	pace.fast = fmin(mean + deviation, configured);
	pace.slow = fmin(fmax(mean - deviation, mean / 3), configured);
	return pace;
}

struct arrival_range arrival_range(const struct arrival_pace *pace, int64_t ahead)
{
	assert(ahead >= 0);
	struct arrival_range range = {0};
	if (pace->basis == ARRIVAL_UNKNOWN)
		return range;
	/* Compared before they are converted, since a double can be too large for an integer. */
	double low = floor((double)ahead / pace->fast);
	double high = ceil(((double)ahead + 1) / pace->slow);
	range.known = true;
	range.low = low < ARRIVAL_SECONDS_MAX ? (int64_t)low : ARRIVAL_SECONDS_MAX - 1;
	range.high = high < ARRIVAL_SECONDS_MAX ? (int64_t)high : ARRIVAL_SECONDS_MAX;
	return range;
}
