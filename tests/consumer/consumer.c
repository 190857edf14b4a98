/* A user's program outside the tree: one rank, one tensor, one all-reduce. */
#include <gossamer/gossamer.h>
#include <stdio.h>
#include <string.h>

static int alone(void* context, const void* mine, void* all, size_t bytes) {
  (void)context;
  memcpy(all, mine, bytes);
  return 0;
}

static int check(goss_status status, const char* what) {
  if (status == GOSS_OK) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, goss_status_string(status), goss_last_error());
  return 1;
}

int main(void) {
  goss_bootstrap bootstrap = {0, 1, alone, NULL};
  goss_comm* comm = NULL;
  goss_tensor* tensor = NULL;
  float data[5] = {1, 2, 3, 4, 5};
  size_t dims[1] = {5};
  int i;

  if (strcmp(goss_version(), "0.1.0") != 0 || goss_codec_name(0) == NULL) return 1;
  if (check(goss_comm_create(&bootstrap, "transport=inproc topology=ring", &comm), "goss_comm_create")) return 1;
  if (check(goss_tensor_create(comm, "t", GOSS_FLOAT32, 1, dims, NULL, &tensor), "goss_tensor_create")) return 1;
  if (check(goss_allreduce(tensor, data, GOSS_SUM), "goss_allreduce")) return 1;
  for (i = 0; i < 5; ++i) {
    if (data[i] != (float)(i + 1)) {
      fprintf(stderr, "element %d of a sum over one rank is %g instead of %d\n", i, data[i], i + 1);
      return 1;
    }
  }
  goss_tensor_destroy(tensor);
  goss_comm_destroy(comm);
  printf("gossamer %s: installed, found, linked and run\n", goss_version());
  return 0;
}
