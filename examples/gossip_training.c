/* Training by gossip: every rank steps on its own samples, then mixes its model with its neighbours' only.
 *
 *   mpirun -n 4 ./gossip_training
 *   mpirun -n 8 ./gossip_training exponential average identity
 *   mpirun -n 4 ./gossip_training ring choco qsgd
 *
 * Logistic regression: a hidden vector of weights labels random samples, of which each rank has a share that would not
 * be enough. Graphs and methods: docs/topologies.md, docs/gossip.md. */
#include <gossamer/gossamer_mpi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS = 2048, SAMPLES = 200, ROUNDS = 300, ROUNDS_PER_LINE = 50 };
static const char usage[] =
    "usage: gossip_training [TOPOLOGY [MIXING [CODEC]]]   default: ring choco topk:ratio=0.1\n"
    "Without compression: average on any graph, push-sum on directed ones; with it, choco. See `gossamer info`.\n";

static float samples[SAMPLES][WEIGHTS], labels[SAMPLES]; /* this rank's; labels are 0 or 1 */
static float model[WEIGHTS], mean[WEIGHTS];

static void check(goss_status status) {
  if (status == GOSS_OK) return;
  fprintf(stderr, "%s: %s\n", goss_status_string(status), goss_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Uniform in [-1, 1), the same on every machine. */
static float uniform(unsigned* state) {
  *state = 1664525u * *state + 1013904223u;
  return (float)(*state >> 8) / (float)(1 << 23) - 1;
}

static float dot(const float* a, const float* b) {
  float sum = 0;
  for (int i = 0; i < WEIGHTS; ++i) sum += a[i] * b[i];
  return sum;
}

static void draw_samples(unsigned rank) {
  static float hidden[WEIGHTS];
  unsigned everywhere = 1, own = 1000 + rank;
  for (int i = 0; i < WEIGHTS; ++i) hidden[i] = uniform(&everywhere);
  for (int s = 0; s < SAMPLES; ++s) {
    for (int i = 0; i < WEIGHTS; ++i) samples[s][i] = uniform(&own);
    labels[s] = dot(hidden, samples[s]) > 0 ? 1.0f : 0.0f;
  }
}

/* One step of gradient descent on this rank's samples. */
static void descend(float rate) {
  static float gradient[WEIGHTS];
  memset(gradient, 0, sizeof gradient);
  for (int s = 0; s < SAMPLES; ++s) {
    const float error = 1 / (1 + expf(-dot(model, samples[s]))) - labels[s];
    for (int i = 0; i < WEIGHTS; ++i) gradient[i] += error / SAMPLES * samples[s][i];
  }
  for (int i = 0; i < WEIGHTS; ++i) model[i] -= rate * gradient[i];
}

/* What nobody needs to know in order to train: how good the mean of all models is on all samples, and how far from it
 * the models are, relative to its length. */
static void measure(int ranks, double* loss, double* disagreement) {
  MPI_Allreduce(model, mean, WEIGHTS, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  double local[2] = {0, 0}, global[2], length = 0;
  for (int i = 0; i < WEIGHTS; ++i) {
    mean[i] /= (float)ranks;
    local[1] += pow(model[i] - mean[i], 2);
    length += pow(mean[i], 2);
  }
  for (int s = 0; s < SAMPLES; ++s) {
    const double margin = (2 * labels[s] - 1) * dot(mean, samples[s]);
    local[0] += log1p(exp(-margin)) / SAMPLES;
  }
  MPI_Allreduce(local, global, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  *loss = global[0] / ranks;
  *disagreement = length > 0 ? sqrt(global[1] / ranks / length) : 0;
}

int main(int argc, char** argv) {
  if (argc > 4 || (argc > 1 && argv[1][0] == '-')) {
    fputs(usage, argc > 4 ? stderr : stdout);
    return argc > 4;
  }
  MPI_Init(&argc, &argv);
  char config[512];
  snprintf(config, sizeof config, "topology=%s mixing=%s codec=%s", argc > 1 ? argv[1] : "ring",
           argc > 2 ? argv[2] : "choco", argc > 3 ? argv[3] : "topk:ratio=0.1");
  goss_comm* comm;
  check(goss_comm_create_mpi(MPI_COMM_WORLD, config, &comm));
  const int rank = goss_comm_rank(comm), ranks = goss_comm_size(comm);
  const size_t dims[] = {WEIGHTS};
  goss_tensor* tensor;
  check(goss_tensor_create(comm, "model", GOSS_FLOAT32, 1, dims, NULL, &tensor));
  draw_samples((unsigned)rank);
  check(goss_broadcast(tensor, model, 0)); /* all start from one model */
  goss_stats start = {.struct_size = sizeof start}, stats = {.struct_size = sizeof stats};
  check(goss_tensor_stats(tensor, &start));
  double loss = 0, disagreement = 0;
  for (int round = 0; round <= ROUNDS; ++round) {
    if (round % ROUNDS_PER_LINE == 0) {
      measure(ranks, &loss, &disagreement);
      check(goss_tensor_stats(tensor, &stats));
      if (rank == 0)
        printf("round %3d: loss %.4f, disagreement %6.3f %%, %.3f MB sent\n", round, loss, 100 * disagreement,
               1e-6 * (double)(stats.bytes_sent - start.bytes_sent));
    }
    descend(0.05f * (float)(ROUNDS - round) / ROUNDS); /* a rate that ends at 0 lets the models come together */
    check(goss_mix(tensor, model));
  }
  const int wrong = !(loss < 0.3 && disagreement < 0.1); /* at first: log 2, all alike */
  if (rank == 0) printf("%s, %d ranks: %s\n", config, ranks, wrong ? "NOT LEARNT" : "learnt");

  goss_tensor_destroy(tensor);
  goss_comm_destroy(comm);
  MPI_Finalize();
  return wrong;
}
