// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"

#define BAR_CELLS	24

static double now_s(void)
{
	return (double)clock_ns() / 1e9;
}

void progress_init(struct progress *progress, bool quiet)
{
	*progress = (struct progress){ .quiet = quiet, .live = !quiet && isatty(STDOUT_FILENO),
				       .start_s = now_s() };
}

/* Of what is present: sent, while the first round runs; clean, after it. */
static int percent(const json_t *figures)
{
	json_int_t all = int_of(figures, "present_bytes");
	json_int_t done = int_of(figures, "round") ? all - int_of(figures, "dirty_bytes") :
			  int_of(figures, "sent_bytes");

	if (all <= 0 || done <= 0)
		return 0;
	return done >= all ? 100 : (int)(100 * ((double)done / (double)all));
}

void progress_text(const json_t *state, char *text, size_t bytes)
{
	const json_t *figures = json_object_get(state, "progress");
	json_int_t round = int_of(figures, "round");

	*text = 0;
	if (round)
		snprintf(text, bytes, "%d %%, round %lld, %.1f MB/s", percent(figures),
			 (long long)round + 1, (double)int_of(figures, "rate") / 1e6);
	else if (figures)
		snprintf(text, bytes, "%d %%, round 1", percent(figures));
}

/* The daemon knows a rate once a round has ended. */
static double rate_of(const struct progress *progress, const json_t *figures)
{
	double rate = (double)int_of(figures, "rate"), took_s = now_s() - progress->phase_s;

	if (rate <= 0 && took_s > 0.1 && !strcmp(progress->phase, "precopy"))
		rate = (double)int_of(figures, "sent_bytes") / took_s;
	return rate / 1e6;
}

static void rates_text(const struct progress *progress, const json_t *figures,
		       const char *downtime, char *text, size_t bytes)
{
	json_int_t expected_ms = int_of(figures, "expected_downtime_ms");
	int used = snprintf(text, bytes, "%.1f MB/s", rate_of(progress, figures));

	if (!int_of(figures, "round"))
		return;
	used += snprintf(text + used, bytes - used, ", dirtied %.1f MB/s%s, %s ",
			 (double)int_of(figures, "dirty_rate") / 1e6,
			 int_of(figures, "pace") ? " (slowed down)" : "", downtime);
	/* Over a link that carries nothing it is as good as endless. */
	if (expected_ms < 0 || expected_ms > 3600000)
		snprintf(text + used, bytes - used, "endless");
	else
		snprintf(text + used, bytes - used, "%lld ms", (long long)expected_ms);
}

static int terminal_columns(void)
{
	struct winsize size;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20 ? size.ws_col : 80;
}

/* As wide as the text beside it leaves room for. */
static void bar_text(int done, int room, char *bar)
{
	int cells = room < 4 ? 4 : room > BAR_CELLS ? BAR_CELLS : room;

	memset(bar, '.', cells);
	memset(bar, '#', done * cells / 100);
	bar[cells] = 0;
}

static void draw(const struct progress *progress, const json_t *figures)
{
	char bar[BAR_CELLS + 1], rates[160], tail[240], line[320];
	int columns = terminal_columns(), done = percent(figures);

	snprintf(line, sizeof(line), "%s", progress->phase);
	if (figures) {
		rates_text(progress, figures, "downtime", rates, sizeof(rates));
		snprintf(tail, sizeof(tail), "%3d %% round %lld, %s", done,
			 (long long)int_of(figures, "round") + 1, rates);
		bar_text(done, columns - (int)(strlen(line) + strlen(tail)) - 5, bar);
		snprintf(line, sizeof(line), "%s [%s] %s", progress->phase, bar, tail);
	}
	printf("\r%.*s\033[K", columns - 1, line);
	fflush(stdout);
}

static void tell_round(struct progress *progress, const json_t *figures)
{
	char rates[160];

	rates_text(progress, figures, "expected downtime", rates, sizeof(rates));
	cmd_say(stdout, "%7.1f s  round %lld: %s", now_s() - progress->start_s,
		(long long)progress->round, rates);
	fflush(stdout);
	progress->round_due = false;
}

static void take_phase(struct progress *progress, const char *phase)
{
	if (!strcmp(progress->phase, phase))
		return;
	snprintf(progress->phase, sizeof(progress->phase), "%s", phase);
	cmd_disarm(progress->phase);
	progress->phase_s = now_s();
}

/* A round's figures follow its number by a state: it is told at the next one. */
static void tell(struct progress *progress, const json_t *state)
{
	const json_t *figures = json_object_get(state, "progress");

	if (progress->round_due)
		tell_round(progress, figures);
	if (int_of(figures, "round") != progress->round) {
		progress->round = int_of(figures, "round");
		progress->round_due = true;
	}
	if (!strcmp(progress->phase, text_of(state, "phase")))
		return;
	if (progress->round_due)
		tell_round(progress, figures);
	take_phase(progress, text_of(state, "phase"));
	cmd_say(stdout, "%7.1f s  %s", now_s() - progress->start_s, progress->phase);
	fflush(stdout);
}

void progress_show(struct progress *progress, const json_t *state)
{
	if (progress->quiet)
		return;
	if (!progress->live) {
		tell(progress, state);
		return;
	}
	take_phase(progress, text_of(state, "phase"));
	draw(progress, json_object_get(state, "progress"));
}

void progress_end(struct progress *progress)
{
	if (progress->live)
		printf("\r\033[K");
	fflush(stdout);
}
