/* The smallest useful program: every rank has a gradient, all ranks get the mean.
 *
 *   mpirun -n 4 ./all_reduce
 *   mpirun -n 4 ./all_reduce "topology=hypercube codec=bf16" 0.01
 *
 * The first argument configures the communicator (see `gossamer info`), the second is the relative error to accept. */
#include <gossamer/gossamer_mpi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1 << 20 };

/* Every failure has a status, and words that say which rank, tensor or value is to blame. */
static void check(goss_status status) {
  if (status == GOSS_OK) return;
  fprintf(stderr, "%s: %s\n", goss_status_string(status), goss_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

/* A gradient that every rank knows of every other, so that the result can be checked without communication. */
static float gradient_of(int rank, int i) {
  return (float)(rank + 1) * (float)(i % 1000 - 500) / 500;
}

/* The largest difference from the exact mean, relative to the mean's largest value. */
static double relative_error(const float* mean, int ranks) {
  double worst = 0, largest = 0;
  for (int i = 0; i < COUNT; ++i) {
    double exact = 0;
    for (int rank = 0; rank < ranks; ++rank) exact += (double)gradient_of(rank, i) / ranks;
    const double error = fabs(mean[i] - exact);
    if (!(error <= worst)) worst = error; /* a NaN counts as worst */
    if (fabs(exact) > largest) largest = fabs(exact);
  }
  return worst / largest;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const double tolerance = argc > 2 ? atof(argv[2]) : 1e-6;

  goss_comm* comm;
  check(goss_comm_create_mpi(MPI_COMM_WORLD, argc > 1 ? argv[1] : "", &comm));
  const int rank = goss_comm_rank(comm), ranks = goss_comm_size(comm);

  /* Once per array: its name, type and shape. The codec is the communicator's. */
  const size_t dims[] = {1024, COUNT / 1024};
  goss_tensor* tensor;
  check(goss_tensor_create(comm, "gradient", GOSS_FLOAT32, 2, dims, NULL, &tensor));

  float* gradient = malloc(COUNT * sizeof *gradient);
  if (gradient == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  for (int i = 0; i < COUNT; ++i) gradient[i] = gradient_of(rank, i);

  /* Once per training step, in place. */
  check(goss_allreduce(tensor, gradient, GOSS_MEAN));

  goss_stats stats = {.struct_size = sizeof stats};
  check(goss_tensor_stats(tensor, &stats));
  const double error = relative_error(gradient, ranks);
  const int wrong = !(error <= tolerance);
  if (rank == 0 || wrong) {
    printf("rank %d of %d: relative error %.2g (%s), %.2f MB sent for %.2f MB of gradient\n", rank, ranks, error,
           wrong ? "WRONG" : "right", 1e-6 * (double)stats.bytes_sent, 1e-6 * (double)stats.dense_bytes);
  }

  free(gradient);
  goss_tensor_destroy(tensor);
  goss_comm_destroy(comm);
  MPI_Finalize();
  return wrong;
}
