/* Checks for C99 programs against the C API: the first that fails ends the program, and with MPI all ranks, with exit
 * code 1 and a message that names its line. Include once; with -DUSE_ENV there is no MPI. */
#ifndef GOSSAMER_TESTS_C99_CHECK_H
#define GOSSAMER_TESTS_C99_CHECK_H

#ifdef USE_ENV
#include <gossamer/gossamer.h>
#else
#include <gossamer/gossamer_mpi.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank = -1, size = -1; /* for messages; set them once known */

#define TEXT_OF_(line) #line
#define TEXT_OF(line) TEXT_OF_(line)
#define HERE __FILE__ ":" TEXT_OF(__LINE__)

static void stop(const char* where, const char* what) {
  fprintf(stderr, "%s: rank %d of %d: %s; last error: %s\n", where, rank, size, what, goss_last_error());
#ifndef USE_ENV
  MPI_Abort(MPI_COMM_WORLD, 1);
#endif
  exit(1);
}

#define TRUE(condition) ((condition) ? (void)0 : stop(HERE, #condition))

/* The status, and words to go with every failure. */
#define EXPECT(wanted, call) expect(HERE, (wanted), (call), #call)
#define OK(call) EXPECT(GOSS_OK, call)
#define REFUSED(call) EXPECT(GOSS_ERR_ARGUMENT, call)

static void expect(const char* where, goss_status wanted, goss_status got, const char* call) {
  char text[400];
  if (got == wanted && (got == GOSS_OK || strlen(goss_last_error()) > 8)) return;
  snprintf(text, sizeof text, "'%s' instead of '%s' from %s", goss_status_string(got), goss_status_string(wanted),
           call);
  stop(where, text);
}

/* The last error has to name the value at fault. */
#define SAYS(part) TRUE(strstr(goss_last_error(), part) != NULL)

#endif
