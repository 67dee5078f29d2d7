// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmd.h"
#include "plot_script.h"

#define TEXT_BYTES	160
#define LABEL_BYTES	48

int plot_open(struct csv_file *script, const char *dir, const char *name,
	      unsigned int height_px, struct fault *fault)
{
	static const char *const terminals[] = { "pngcairo", "svg" };
	char file[64];
	int i;

	snprintf(file, sizeof(file), "%s.gp", name);
	if (csv_open(script, dir, file, fault))
		return -1;
	fprintf(script->stream, "# To draw it anew: gnuplot %s\n", file);
	fprintf(script->stream, "set encoding utf8\nset datafile separator comma\n");
	fprintf(script->stream, "do for [kind in \"png svg\"] {\n");
	for (i = 0; i < 2; i++)
		fprintf(script->stream,
			"if (kind eq \"%.3s\") { set terminal %s noenhanced size %d,%u font \"sans-serif,%d\" background rgb \"white\" }\n",
			i ? "svg" : "png", terminals[i], PLOT_WIDTH_PX, height_px, i ? 13 : 11);
	fprintf(script->stream, "set output \"%s.\".kind\n", name);
	fprintf(script->stream, "set border lc rgb \"#606060\"\nset grid back lt 1 lw 0.5 lc rgb \"#d8d8d8\"\nset tics nomirror out\n");
	fprintf(script->stream, "unset object\nunset arrow\nunset label\n");
	return 0;
}

int plot_close(struct csv_file *script, struct fault *fault)
{
	fprintf(script->stream, "set output\n}\n");
	return csv_close(script, fault);
}

static bool harmless(unsigned char c)
{
	return c >= 0x80 || isalnum(c) || (c && strchr(" .,:;/()+=<>_-[]", c));
}

static void put_quoted(FILE *stream, char *text)
{
	unsigned char *at;

	text_to_utf8(text);
	cmd_disarm(text);
	for (at = (unsigned char *)text; *at; at++)
		if (!harmless(*at))
			*at = '?';
	fprintf(stream, "'%s'", text);
}

/* A character that does not fit leaves a part behind, which comes out as '?'. */
void plot_text(FILE *stream, const char *text)
{
	char copy[LABEL_BYTES];
	size_t used = snprintf(copy, sizeof(copy) - 3, "%s", text);

	if (used >= sizeof(copy) - 3)
		strcat(copy, "...");
	put_quoted(stream, copy);
}

void plot_part_text(FILE *stream, const char *name, const char *more)
{
	const char *first_end = strstr(name, ", "), *last = strrchr(name, ',');
	char text[TEXT_BYTES];

	if (first_end && last > first_end && last[1] == ' ')
		snprintf(text, sizeof(text), "%.*s ... %.40s%s",
			 (int)(first_end - name < 40 ? first_end - name : 40), name, last + 2, more);
	else
		snprintf(text, sizeof(text), "%.60s%s", name, more);
	put_quoted(stream, text);
}

void plot_forget(const char *dir, const char *name)
{
	static const char *const kinds[] = { "gp", "png", "svg" };
	char file[64];
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s.%s", name, kinds[i]);
		csv_forget(dir, file);
	}
}

static int start(pid_t *pid, const char *dir, char *script, int errors)
{
	static char program[] = "gnuplot", defaults[] = "-d";
	char *argv[] = { program, defaults, script, NULL };
	posix_spawn_file_actions_t actions;
	int number;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, errors, 2);
	posix_spawn_file_actions_addchdir_np(&actions, dir);
	number = posix_spawnp(pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return number;
}

/* The line that says what is wrong; the one before tells only where. */
static void last_line(FILE *errors, char line[256])
{
	char next[256];

	*line = 0;
	rewind(errors);
	while (fgets(next, sizeof(next), errors)) {
		next[strcspn(next, "\n")] = 0;
		if (next[strspn(next, " ^\t")])
			strcpy(line, next);
	}
}

int plot_run(const char *dir, const char *name, struct fault *fault)
{
	FILE *errors = tmpfile();
	int status = 0, number;
	char script[64], line[256];
	pid_t pid;

	if (!errors)
		return fail(fault, "cannot make a temporary file: %s", strerror(errno));
	snprintf(script, sizeof(script), "%s.gp", name);
	number = start(&pid, dir, script, fileno(errors));
	while (!number && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	last_line(errors, line);
	fclose(errors);
	if (number == ENOENT)
		return fail(fault, "no gnuplot to draw with (Debian's package gnuplot-nox); the data and the scripts (*.gp) are in %.300s",
			    dir);
	if (number)
		return fail(fault, "cannot start gnuplot: %s", strerror(number));
	return !status ? 0 : fail(fault, "gnuplot could not draw %.200s/%s: %s", dir, script, line);
}
