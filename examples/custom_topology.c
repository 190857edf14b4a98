/* Gossip along the simulation's own decomposition: blocks that share a border exchange models, nobody else.
 *
 *   mpirun -n 6 ./custom_topology
 *
 * The unit square is cut in two again and again until each rank has its block, as particle codes do. From the blocks
 * come the edges of the graph, weighted by nothing: Metropolis' rule makes a mixing matrix of any undirected graph. */
#include <gossamer/gossamer_mpi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 5000, MOST_NEIGHBOURS = 64 };

typedef struct Block {
  double low[2], high[2];
} Block;

static void check(goss_status status) {
  if (status == GOSS_OK) return;
  fprintf(stderr, "%s: %s\n", goss_status_string(status), goss_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

/* Halves the ranks and, in proportion, the longer side, until only `rank` is left. */
static Block block_of(int rank, int ranks) {
  Block block = {{0, 0}, {1, 1}};
  while (ranks > 1) {
    const int axis = block.high[0] - block.low[0] >= block.high[1] - block.low[1] ? 0 : 1;
    const int below = ranks / 2, is_below = rank < below;
    const double cut = block.low[axis] + (block.high[axis] - block.low[axis]) * below / ranks;
    *(is_below ? &block.high[axis] : &block.low[axis]) = cut;
    rank -= is_below ? 0 : below;
    ranks = is_below ? below : ranks - below;
  }
  return block;
}

/* Whether two blocks share a piece of border; a corner is none. */
static int touch(const Block* a, const Block* b) {
  const double x = fmin(a->high[0], b->high[0]) - fmax(a->low[0], b->low[0]); /* shared; negative: apart by as much */
  const double y = fmin(a->high[1], b->high[1]) - fmax(a->low[1], b->low[1]);
  return fmin(x, y) > -1e-9 && fmax(x, y) > 1e-9;
}

/* Lines "rank rank". The library reads the file on every host, while the communicator is made. */
static void write_edges(const char* path, const Block* blocks, int ranks) {
  FILE* file = fopen(path, "w");
  if (file == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  for (int i = 0; i < ranks; ++i) {
    for (int j = i + 1; j < ranks; ++j)
      if (touch(&blocks[i], &blocks[j])) fprintf(file, "%d %d\n", i, j);
  }
  fclose(file);
}

/* One rank of each host writes the file that its ranks read. */
static goss_comm* make_comm(const Block* blocks, int ranks) {
  MPI_Comm host;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  int on_host, named = (int)(1e6 * MPI_Wtime()) & 0xffffff;
  MPI_Comm_rank(host, &on_host);
  MPI_Bcast(&named, 1, MPI_INT, 0, MPI_COMM_WORLD);
  char path[64], config[128];
  snprintf(path, sizeof path, "/tmp/blocks-%d.txt", named);
  snprintf(config, sizeof config, "topology=file:%s", path);
  if (on_host == 0) write_edges(path, blocks, ranks);
  MPI_Barrier(host);
  goss_comm* comm;
  check(goss_comm_create_mpi(MPI_COMM_WORLD, config, &comm));
  if (on_host == 0) remove(path);
  MPI_Comm_free(&host);
  return comm;
}

/* The largest difference between two ranks' values of one element; all ranks get it. */
static float spread(const float* model) {
  float highest[COUNT], lowest[COUNT], widest = 0;
  MPI_Allreduce(model, highest, COUNT, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Allreduce(model, lowest, COUNT, MPI_FLOAT, MPI_MIN, MPI_COMM_WORLD);
  for (int i = 0; i < COUNT; ++i) widest = fmaxf(widest, highest[i] - lowest[i]);
  return widest;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank, ranks, neighbours[MOST_NEIGHBOURS], count, wrong = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const Block mine = block_of(rank, ranks);
  Block* blocks = calloc((size_t)ranks, sizeof *blocks);
  if (blocks == NULL) MPI_Abort(MPI_COMM_WORLD, 1);
  MPI_Allgather(&mine, sizeof mine, MPI_BYTE, blocks, sizeof mine, MPI_BYTE, MPI_COMM_WORLD);
  goss_comm* comm = make_comm(blocks, ranks);
  double gap;
  check(goss_comm_neighbours(comm, 0, neighbours, NULL, MOST_NEIGHBOURS, &count, NULL));
  check(goss_comm_spectral_gap(comm, &gap));
  for (int k = 0; k < count && k < MOST_NEIGHBOURS; ++k) wrong += !touch(&mine, &blocks[neighbours[k]]);

  /* A model that knows where it comes from: mixing takes all of them to the mean of the blocks' centres. */
  static float model[COUNT];
  for (int i = 0; i < COUNT; ++i) model[i] = (float)(mine.low[i % 2] + mine.high[i % 2]) / 2;
  const size_t dims[] = {COUNT};
  goss_tensor* tensor;
  check(goss_tensor_create(comm, "model", GOSS_FLOAT32, 1, dims, "identity", &tensor));
  const float at_first = spread(model);
  int rounds = 0;
  for (; spread(model) > 1e-3f * at_first && rounds < 1000; ++rounds) check(goss_mix(tensor, model));
  printf(
      "rank %d of %d: block [%.2f, %.2f) x [%.2f, %.2f), neighbours: %d; spectral gap %.3f, a thousandth of the "
      "difference after %d rounds%s\n",
      rank, ranks, mine.low[0], mine.high[0], mine.low[1], mine.high[1], count, gap, rounds, wrong ? ": WRONG" : "");

  free(blocks);
  goss_tensor_destroy(tensor);
  goss_comm_destroy(comm);
  MPI_Finalize();
  return wrong > 0;
}
