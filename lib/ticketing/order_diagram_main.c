/* order-diagram [FILE.md]: print the state diagram of an order, or check the one in a file. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/ticketing/order_diagram.h"

static int print_diagram(void);
static int check_file(const char *path);

int main(int argc, char **argv)
{
	if (argc == 1)
		return print_diagram();
	if (argc == 2)
		return check_file(argv[1]);
	(void)fprintf(stderr, "usage: order-diagram [FILE.md]\n");
	return 2;
}

static int print_diagram(void)
{
	struct buffer buffer;
	buffer_init(&buffer, ORDER_DIAGRAM_SIZE_MAX);
	order_diagram_render(&buffer);
	bool good = !buffer.failed && fwrite(buffer.data, 1, buffer.size, stdout) == buffer.size &&
		fflush(stdout) == 0;
	buffer_release(&buffer);
	return good ? 0 : 1;
}

static int check_file(const char *path)
{
	struct fault fault;
	char *text = malloc(ORDER_DIAGRAM_FILE_SIZE_MAX);
	FILE *file = fopen(path, "rb");
	if (!text || !file) {
		(void)fprintf(stderr, "order-diagram: cannot read %s\n", path);
		free(text);
		return 1;
	}
	size_t size = fread(text, 1, ORDER_DIAGRAM_FILE_SIZE_MAX, file);
	enum status status = ferror(file) || !feof(file)
		? fault_set(&fault, "the file", "cannot be read, or is too large")
		: order_diagram_check((struct slice){text, size}, &fault);
	if (status != STATUS_OK)
		(void)fprintf(stderr, "%s: %s: %s; order-diagram prints the right one\n", path,
			fault.where, fault.what);
	(void)fclose(file);
	free(text);
	return status == STATUS_OK ? 0 : 1;
}
