/* SPDX-License-Identifier: GPL-2.0-only */
/* To standard error, with the priority in front as systemd's journal takes it. */
#ifndef LOG_H
#define LOG_H

#include <stdio.h>

#define log_at(level, format, ...) \
	fprintf(stderr, "<%d>vmfastmigd: " format "\n", level, ##__VA_ARGS__)
#define log_error(...)	log_at(3, __VA_ARGS__)
#define log_warn(...)	log_at(4, __VA_ARGS__)
#define log_info(...)	log_at(6, __VA_ARGS__)

#endif
