#include "cli/commands.h"

int main(int argc, char **argv) { return nas_main(argc, (const char **)argv); }
