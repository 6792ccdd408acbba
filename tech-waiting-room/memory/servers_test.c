/* The negative control of what servers do together: two servers that each have their own rooms. */
#include "tech-waiting-room/servers_conformance.h"

int main(void)
{
	return waiting_room_servers_control(
		&(struct servers_technology){.program = "waiting-room-memory-server"});
}
