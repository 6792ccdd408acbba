/* The steps of this program's schema. Those of the adapters come first, since the product's own
 * refer to their tables. */
#include "real-implementation/migrate.h"
#include "real-implementation/schema/010_catalog.sql.h"
#include "real-implementation/schema/020_live.sql.h"
#include "real-implementation/schema/030_tickets.sql.h"
#include "real-implementation/schema/040_orders.sql.h"
#include "real-implementation/schema/050_live_changes.sql.h"
#include "real-implementation/schema/060_demand.sql.h"
#include "tech-locking-and-transactions/schema/checkout.sql.h"
#include "tech-locking-and-transactions/schema/seat_store.sql.h"
#include "tech-waiting-room/schema/waiting_room.sql.h"

const struct migrate_step migrate_steps[] = {
	{1, "seat_store", seats_schema},
	{2, "checkout", sql_schema},
	{3, "waiting_room", waiting_room_schema},
	{10, "catalog", catalog_schema},
	{20, "live", live_schema},
	{30, "tickets", tickets_schema},
	{40, "orders", orders_schema},
	{50, "live_changes", live_changes_schema},
	{60, "demand", demand_schema},
};

const size_t migrate_step_count = sizeof migrate_steps / sizeof migrate_steps[0];
