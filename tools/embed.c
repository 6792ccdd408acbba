/* embed PREFIX INPUT OUTPUT: turns a file into a C header, so that a program carries it.
 *
 * An .sql file is split at its `-- name: NAME` lines, one `static const char PREFIX_NAME[]` per
 * statement, so that SQL lives in SQL files and a statement is used by its name. A .lua file is one
 * script, `static const char PREFIX_<file name without .lua>[]`, with all its lines, so that Lua
 * counts them as the file does. Any other file becomes one array PREFIX_<file name> of bytes and
 * its PREFIX_…_size. What cannot stand in a name becomes _. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 256 };

static void embed_statements(FILE *input, FILE *output, const char *prefix);
static void embed_script(FILE *input, FILE *output, const char *prefix, const char *path);
static void embed_bytes(FILE *input, FILE *output, const char *prefix, const char *path);

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: embed PREFIX INPUT OUTPUT\n");
		return 2;
	}
	FILE *input = fopen(argv[2], "rb");
	if (!input) {
		fprintf(stderr, "embed: cannot open %s\n", argv[2]);
		return 1;
	}
	FILE *output = fopen(argv[3], "wb");
	if (!output) {
		fprintf(stderr, "embed: cannot open %s\n", argv[3]);
		fclose(input);
		return 1;
	}
	fprintf(output, "/* Made from %s; edit that. */\n#pragma once\n", argv[2]);
	const char *extension = strrchr(argv[2], '.');
	if (extension && strcmp(extension, ".sql") == 0)
		embed_statements(input, output, argv[1]);
	else if (extension && strcmp(extension, ".lua") == 0)
		embed_script(input, output, argv[1], argv[2]);
	else
		embed_bytes(input, output, argv[1], argv[2]);
	int bad = ferror(input) || ferror(output);
	bad |= fclose(input) | fclose(output);
	if (bad)
		fprintf(stderr, "embed: error while copying %s\n", argv[2]);
	return bad ? 1 : 0;
}

static void embed_line(FILE *output, const char *line)
{
	fputs("\n\t\"", output);
	for (const char *c = line; *c && *c != '\n'; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', output);
		fputc(*c, output);
	}
	fputs("\\n\"", output);
}

static void embed_statements(FILE *input, FILE *output, const char *prefix)
{
	static const char marker[] = "-- name: ";
	char *line = NULL;
	size_t capacity = 0;
	int open = 0;
	while (getline(&line, &capacity, input) > 0) {
		if (strncmp(line, marker, sizeof marker - 1) == 0) {
			char *name = line + sizeof marker - 1;
			name[strcspn(name, " \t\r\n")] = '\0';
			fprintf(output, "%s\n__attribute__((unused)) static const char %s_%s[] =",
				open ? ";\n" : "", prefix, name);
			open = 1;
		} else if (open && line[strspn(line, " \t\r\n")] != '\0' &&
			strncmp(line, "--", 2) != 0) {
			embed_line(output, line);
		}
	}
	if (open)
		fputs(";\n", output);
	free(line);
}

/* PREFIX_<file name up to `end`>, which may be NULL. */
static void make_name(char name[NAME_SIZE], const char *prefix, const char *path, const char *end)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;
	int size = end ? (int)(end - file) : (int)strlen(file);
	snprintf(name, NAME_SIZE, "%s_%.*s", prefix, size, file);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
}

static void embed_script(FILE *input, FILE *output, const char *prefix, const char *path)
{
	char name[NAME_SIZE];
	char *line = NULL;
	size_t capacity = 0;
	make_name(name, prefix, path, strrchr(path, '.'));
	fprintf(output, "__attribute__((unused)) static const char %s[] =\n\t\"\"", name);
	while (getline(&line, &capacity, input) > 0)
		embed_line(output, line);
	fputs(";\n", output);
	free(line);
}

/* As a string, since a list of numbers takes compilers ten times as long, and cppcheck minutes. */
static void embed_byte(FILE *output, int c)
{
	if (isalnum(c) || (ispunct(c) && !strchr("\"\\?", c)) || c == ' ')
		fputc(c, output);
	else
		fprintf(output, "\\%03o", (unsigned)c);
}

static void embed_bytes(FILE *input, FILE *output, const char *prefix, const char *path)
{
	enum { LINE_BYTES = 64 };
	char name[NAME_SIZE];
	make_name(name, prefix, path, NULL);
	size_t size = 0;
	int c;
	fprintf(output, "__attribute__((unused)) static const unsigned char %s[] =\n\t\"", name);
	for (; (c = fgetc(input)) != EOF; size++) {
		if (size > 0 && size % LINE_BYTES == 0)
			fputs("\"\n\t\"", output);
		embed_byte(output, c);
	}
	/* The byte after the end is zero, so that text can be used as a string. */
	fprintf(output, "\";\n__attribute__((unused)) static const unsigned long %s_size = %zu;\n",
		name, size);
}
