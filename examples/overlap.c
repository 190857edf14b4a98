/* Exchange behind computation: gradients of several layers travel while the next ones are being computed.
 *
 *   mpirun -n 4 ./overlap
 *   mpirun -n 4 ./overlap "topology=complete progress=polling"
 *
 * Ranks may finish their layers in different orders, as here, where each starts at another one: messages find their
 * tensor by its name, and nobody waits for an order to be agreed. */
#include <gossamer/gossamer_mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAYERS = 8, COUNT = 1 << 17 };

static void check(goss_status status) {
  if (status == GOSS_OK) return;
  fprintf(stderr, "%s: %s\n", goss_status_string(status), goss_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Stands for backpropagation: takes its time to find a small whole number, so that sums over ranks are exact. */
static float derivative(int layer, int i) {
  unsigned x = (unsigned)(layer * COUNT + i);
  for (int step = 0; step < 50; ++step) x = 1664525u * x + 1013904223u;
  return (float)(x >> 28);
}

static void compute_gradient(float* gradient, int layer, int rank) {
  for (int i = 0; i < COUNT; ++i) gradient[i] = derivative(layer, i) + (float)rank;
}

static int count_wrong(const float* sum, int layer, int ranks) {
  const float of_ranks = (float)(ranks * (ranks - 1) / 2);
  int wrong = 0;
  for (int i = 0; i < COUNT; ++i) wrong += sum[i] != (float)ranks * derivative(layer, i) + of_ranks;
  return wrong;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  goss_comm* comm;
  check(goss_comm_create_mpi(MPI_COMM_WORLD, argc > 1 ? argv[1] : "", &comm));
  const int rank = goss_comm_rank(comm), ranks = goss_comm_size(comm);

  goss_tensor* tensors[LAYERS];
  float* gradients[LAYERS];
  for (int layer = 0; layer < LAYERS; ++layer) {
    const size_t dims[] = {COUNT};
    char name[32];
    snprintf(name, sizeof name, "layer%d.weight", layer);
    check(goss_tensor_create(comm, name, GOSS_FLOAT32, 1, dims, "identity", &tensors[layer]));
    gradients[layer] = malloc(COUNT * sizeof(float));
    if (gradients[layer] == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  }

  /* Post each layer as soon as it is computed; until goss_wait_all its gradient belongs to the call. */
  goss_request* requests[LAYERS];
  int already_done = 0;
  for (int step = 0; step < LAYERS; ++step) {
    const int layer = (step + rank) % LAYERS;
    compute_gradient(gradients[layer], layer, rank);
    check(goss_iallreduce(tensors[layer], gradients[layer], GOSS_SUM, &requests[layer]));
  }
  for (int layer = 0; layer < LAYERS; ++layer) {
    int done = 0;
    check(goss_test(&requests[layer], &done)); /* never blocks, and frees the request when it is done */
    already_done += done;
  }
  check(goss_wait_all(LAYERS, requests)); /* requests that are done, and so NULL, are fine */

  int wrong = 0;
  for (int layer = 0; layer < LAYERS; ++layer) {
    wrong += count_wrong(gradients[layer], layer, ranks);
    goss_tensor_destroy(tensors[layer]);
    free(gradients[layer]);
  }
  if (rank == 0 || wrong > 0) {
    printf("rank %d of %d: %d of %d sums were there when the last layer was computed; %d wrong values\n", rank, ranks,
           already_done, LAYERS, wrong);
  }
  goss_comm_destroy(comm);
  MPI_Finalize();
  return wrong > 0;
}
