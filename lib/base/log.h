/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on standard error: "name: text". For programs only; libraries
 * return a status and a reason. Control characters are replaced by '?'.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/* Name of the program or role; borrowed for ever. */
void log_name(const char *name);
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
