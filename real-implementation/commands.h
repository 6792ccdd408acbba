/* The program's commands: each from its first argument, which is its name, to the exit code. */
#pragma once

#define ONSALE_VERSION "1.0"

int command_serve(int argc, char **argv);
int command_migrate(int argc, char **argv);
int command_import(int argc, char **argv);
int command_audit(int argc, char **argv);
