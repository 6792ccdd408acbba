/* The named maxima that several folders share. What belongs to one folder is named there. */
#pragma once

enum {
	LIMIT_ID_SIZE_MAX = 64,        /* Ids that the outside gives, in bytes. */
	LIMIT_NAME_SIZE_MAX = 200,     /* Names that people read, in bytes of UTF-8. */
	LIMIT_SEATS_PER_PLAN = 200000, /* Seats in one seating plan. */
	LIMIT_SEATS_PER_HOLD = 10,     /* Seats that one hold may take. */
	LIMIT_PAGE_ITEMS_MAX = 200,    /* Items in one page of a list. */
	LIMIT_PAGE_ITEMS_DEFAULT = 50,
};

_Static_assert(LIMIT_PAGE_ITEMS_DEFAULT <= LIMIT_PAGE_ITEMS_MAX, "a default page is allowed");
