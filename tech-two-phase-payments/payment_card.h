/* Card numbers do not pass through this house: a client gives its card to the provider's own form
 * and us a token. Who sends a number all the same is refused before anything is stored or logged.
 *
 *	if (payment_looks_like_card(text))
 *		…422, and the text appears nowhere
 */
#pragma once

#include <stdbool.h>

#include "lib/base/slice.h"

/* Whether somewhere in `text` stands what may be a card number: 13 to 19 digits (ISO/IEC 7812-1),
 * written together or in groups by single spaces or dashes, that begin with 2 to 6, as those of
 * payment cards do, and whose last digit checks (Luhn, annex B). For what people send and for
 * tokens; not for ids of our own, of which one in some ten thousand would look like one. */
bool payment_looks_like_card(struct slice text);
