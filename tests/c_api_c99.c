/* Every function of the C API from strict C99, and what it says to callers who get it wrong.
 *
 * An MPI program for any number of ranks from 1 to 8; with -DUSE_ENV no MPI, but the environment of
 * goss_comm_create_env(). Exits 0, or at the first surprise 1 with a message that names its line. */
#include "c99_check.h"

enum { COUNT = 4096, SIDE = 64 };

static goss_status connect_all(const char* config, goss_comm** comm) {
#ifdef USE_ENV
  return goss_comm_create_env(config, comm);
#else
  return goss_comm_create_mpi(MPI_COMM_WORLD, config, comm);
#endif
}

static int gather_one(void* context, const void* mine, void* all, size_t bytes) {
  if (context != NULL) return *(int*)context;
  memcpy(all, mine, bytes);
  return 0;
}

static void words_and_registries(void) {
  int known = 0;
  TRUE(strcmp(goss_version(), "0.1.0") == 0);
  TRUE(strcmp(goss_last_error(), "") == 0);
  for (int status = GOSS_OK; status <= GOSS_ERR_INTERNAL; ++status) {
    TRUE(strlen(goss_status_string((goss_status)status)) > 1);
  }
  TRUE(strlen(goss_status_string((goss_status)99)) > 1);
  TRUE(goss_codec_name(-1) == NULL && goss_topology_name(-1) == NULL && goss_transport_name(-1) == NULL);
  for (int i = 0; goss_codec_name(i) != NULL; ++i) known += strcmp(goss_codec_name(i), "topk") == 0;
  for (int i = 0; goss_topology_name(i) != NULL; ++i) known += strcmp(goss_topology_name(i), "torus") == 0;
  for (int i = 0; goss_transport_name(i) != NULL; ++i) known += strcmp(goss_transport_name(i), "ucx") == 0;
  TRUE(known == 3);
}

/* A communicator of one rank needs no other: whatever is refused here is refused by argument alone. */
static void refused_communicators(void) {
  int failure = 42;
  goss_comm *const untouched = (goss_comm*)&failure, *comm = untouched;
  goss_bootstrap one = {0, 1, gather_one, NULL};
  REFUSED(goss_comm_create(NULL, "", &comm));
  REFUSED(goss_comm_create(&one, "", NULL));
  REFUSED(goss_comm_create_env("", NULL));
  REFUSED(goss_comm_create(&one, "topology=moebius", &comm)), SAYS("moebius"), SAYS("torus");
  REFUSED(goss_comm_create(&one, "topology=torus:2x3", &comm)), SAYS("6"), SAYS("1");
  REFUSED(goss_comm_create(&one, "topology=torus:", &comm));
  REFUSED(goss_comm_create(&one, "codec=zip", &comm)), SAYS("zip"), SAYS("topk");
  REFUSED(goss_comm_create(&one, "codec=topk:ratio=0", &comm)), SAYS("ratio=0");
  REFUSED(goss_comm_create(&one, "codec=topk:ratio=1.5", &comm)), SAYS("ratio=1.5");
  REFUSED(goss_comm_create(&one, "codec=topk:colour=red", &comm)), SAYS("colour");
  REFUSED(goss_comm_create(&one, "transport=pigeon", &comm)), SAYS("pigeon"), SAYS("ucx");
  REFUSED(goss_comm_create(&one, "flavour=strange", &comm)), SAYS("flavour"), SAYS("topology");
  REFUSED(goss_comm_create(&one, "timeout=-1", &comm)), SAYS("-1");
  REFUSED(goss_comm_create(&one, "timeout=soon", &comm)), SAYS("soon");
  REFUSED(goss_comm_create(&one, "nonsense", &comm)), SAYS("nonsense");
  one.rank = 1;
  REFUSED(goss_comm_create(&one, "", &comm)), SAYS("rank 1 of 1");
  one.rank = 0, one.size = 0;
  REFUSED(goss_comm_create(&one, "", &comm));
  one.size = 1, one.allgather = NULL;
  REFUSED(goss_comm_create(&one, "", &comm));
  one.allgather = gather_one, one.context = &failure;
  EXPECT(GOSS_ERR_SYSTEM, goss_comm_create(&one, "", &comm)), SAYS("42");
  TRUE(comm == untouched);
  one.context = NULL;
  OK(goss_comm_create(&one, NULL, &comm));
  TRUE(goss_comm_rank(comm) == 0 && goss_comm_size(comm) == 1);
  goss_comm_destroy(comm);
  goss_comm_destroy(NULL);
}

static void questions(const goss_comm* comm) {
  char text[4096], cut[8];
  int ranks[8], count = -1;
  double weights[8], self = -1, gap = -1, sum;
  TRUE(goss_comm_rank(NULL) == -1 && goss_comm_size(NULL) == -1);
  OK(goss_comm_describe(comm, text, sizeof text));
  TRUE(strstr(text, "ring") != NULL);
  OK(goss_comm_describe(comm, cut, sizeof cut));
  TRUE(strlen(cut) == sizeof cut - 1 && strncmp(cut, text, sizeof cut - 1) == 0);
  REFUSED(goss_comm_describe(NULL, text, sizeof text));
  REFUSED(goss_comm_describe(comm, NULL, sizeof text));
  REFUSED(goss_comm_describe(comm, text, 0));

  OK(goss_comm_neighbours(comm, 0, ranks, weights, 8, &count, &self));
  TRUE(count == (size > 2 ? 2 : size - 1));
  sum = self;
  for (int i = 0; i < count; ++i) {
    TRUE(ranks[i] >= 0 && ranks[i] < size && ranks[i] != rank && weights[i] > 0);
    sum += weights[i];
  }
  TRUE(sum > 1 - 1e-12 && sum < 1 + 1e-12);
  OK(goss_comm_neighbours(comm, 7, NULL, NULL, 0, &count, NULL));
  REFUSED(goss_comm_neighbours(comm, 0, ranks, weights, 8, NULL, NULL));
  REFUSED(goss_comm_neighbours(comm, 0, ranks, weights, -1, &count, NULL));
  REFUSED(goss_comm_neighbours(NULL, 0, ranks, weights, 8, &count, NULL));

  OK(goss_comm_spectral_gap(comm, &gap));
  TRUE(gap > 0 && gap <= 1 + 1e-12);
  REFUSED(goss_comm_spectral_gap(comm, NULL));
  REFUSED(goss_comm_spectral_gap(NULL, &gap));
  OK(goss_comm_failed(comm, ranks, 8, &count));
  TRUE(count == 0);
  REFUSED(goss_comm_failed(comm, ranks, 8, NULL));
  REFUSED(goss_comm_failed(NULL, ranks, 8, &count));
}

static goss_tensor* tensor_of(goss_comm* comm, const char* name, goss_dtype dtype, const char* codec) {
  const size_t dims[] = {SIDE, COUNT / SIDE};
  goss_tensor* tensor = NULL;
  OK(goss_tensor_create(comm, name, dtype, 2, dims, codec, &tensor));
  return tensor;
}

static void refused_tensors(goss_comm* comm) {
  const size_t dims[] = {SIDE, COUNT / SIDE}, mine[] = {(size_t)(10 + (rank == 0))};
  const size_t huge[] = {(size_t)-1, (size_t)-1};
  goss_tensor *tensor = NULL, *taken = tensor_of(comm, "taken", GOSS_FLOAT32, NULL);
  REFUSED(goss_tensor_create(NULL, "t", GOSS_FLOAT32, 2, dims, NULL, &tensor));
  REFUSED(goss_tensor_create(comm, NULL, GOSS_FLOAT32, 2, dims, NULL, &tensor));
  REFUSED(goss_tensor_create(comm, "", GOSS_FLOAT32, 2, dims, NULL, &tensor));
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, NULL, NULL, &tensor));
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, NULL, NULL));
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, -1, dims, NULL, &tensor)), SAYS("-1");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, huge, NULL, &tensor));
  REFUSED(goss_tensor_create(comm, "t", (goss_dtype)7, 2, dims, NULL, &tensor)), SAYS("7");
  REFUSED(goss_tensor_create(comm, "taken", GOSS_FLOAT32, 2, dims, NULL, &tensor)), SAYS("taken");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, "zip", &tensor)), SAYS("zip"), SAYS("identity");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, "topk:ratio=0", &tensor)), SAYS("ratio=0");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, "topk:ratio=2", &tensor)), SAYS("ratio=2");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, "powersgd:rank=0", &tensor)), SAYS("rank=0");
  REFUSED(goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, "powersgd:rank=65", &tensor)), SAYS("64");
  TRUE(tensor == NULL);
  if (size > 1) {
    EXPECT(GOSS_ERR_MISMATCH, goss_tensor_create(comm, "t", GOSS_FLOAT32, 1, mine, NULL, &tensor)), SAYS("rank");
    EXPECT(GOSS_ERR_MISMATCH,
           goss_tensor_create(comm, "t", rank == 0 ? GOSS_FLOAT32 : GOSS_FLOAT64, 2, dims, NULL, &tensor)),
        SAYS("float64");
    EXPECT(rank == 0 ? GOSS_ERR_ARGUMENT : GOSS_ERR_MISMATCH,
           goss_tensor_create(comm, "t", GOSS_FLOAT32, 2, dims, rank == 0 ? "zip" : "fp16", &tensor));
  }
  goss_tensor_destroy(taken);
  goss_tensor_destroy(NULL);
}

static void fill(float* data) {
  for (int i = 0; i < COUNT; ++i) data[i] = (float)(i % 100 + rank);
}

/* What the ranks' fill() add up to: whole numbers, exact in any order. */
static int holds_sum(const float* data) {
  for (int i = 0; i < COUNT; ++i) {
    if (data[i] != (float)(size * (i % 100) + size * (size - 1) / 2)) return 0;
  }
  return 1;
}

static void exact_calls(goss_comm* comm) {
  static float a[COUNT], b[COUNT], c[COUNT];
  static double wide[COUNT];
  goss_tensor *ta = tensor_of(comm, "a", GOSS_FLOAT32, "identity"),
              *tb = tensor_of(comm, "b", GOSS_FLOAT32, "identity");
  goss_tensor *tc = tensor_of(comm, "c", GOSS_FLOAT32, NULL), *tw = tensor_of(comm, "wide", GOSS_FLOAT64, NULL);
  goss_request* requests[3] = {NULL, NULL, NULL};
  int done = 0;

  fill(a), OK(goss_allreduce(ta, a, GOSS_SUM));
  TRUE(holds_sum(a));
  for (int i = 0; i < COUNT; ++i) wide[i] = 1 + rank;
  OK(goss_allreduce(tw, wide, GOSS_MEAN));
  for (int i = 0; i < COUNT; ++i) TRUE(wide[i] > 0.5 * (size + 1) - 1e-9 && wide[i] < 0.5 * (size + 1) + 1e-9);

  /* Posted in an order of each rank's own. */
  fill(a), fill(b), fill(c);
  if (rank % 2 == 1) OK(goss_iallreduce(tb, b, GOSS_SUM, &requests[1]));
  OK(goss_iallreduce(ta, a, GOSS_SUM, &requests[0]));
  if (rank % 2 == 0) OK(goss_iallreduce(tb, b, GOSS_SUM, &requests[1]));
  REFUSED(goss_iallreduce(ta, a, GOSS_SUM, &requests[2])), SAYS("a");
  OK(goss_iallreduce(tc, c, GOSS_SUM, &requests[2]));
  while (!done) OK(goss_test(&requests[0], &done));
  TRUE(requests[0] == NULL && holds_sum(a));
  OK(goss_wait(&requests[1]));
  TRUE(requests[1] == NULL && holds_sum(b));
  OK(goss_wait_all(3, requests));
  TRUE(requests[2] == NULL && holds_sum(c));
  OK(goss_wait(&requests[2]));
  OK(goss_wait_all(0, NULL));

  for (int i = 0; i < COUNT; ++i) a[i] = rank == size - 1 ? (float)i : -1;
  OK(goss_broadcast(ta, a, size - 1));
  for (int i = 0; i < COUNT; ++i) TRUE(a[i] == (float)i);

  /* Averaging keeps what is equal everywhere, and never leaves the range of the ranks' values. */
  OK(goss_mix(ta, a));
  for (int i = 0; i < COUNT; ++i) TRUE(a[i] > (float)i * 0.9999f - 1e-6f && a[i] < (float)i * 1.0001f + 1e-6f);
  for (int i = 0; i < COUNT; ++i) b[i] = (float)rank;
  OK(goss_imix(tb, b, &requests[0]));
  OK(goss_wait(&requests[0]));
  for (int i = 0; i < COUNT; ++i) TRUE(b[i] >= -1e-5f && b[i] <= (float)(size - 1) + 1e-5f);
  OK(goss_barrier(comm));
  goss_tensor_destroy(ta), goss_tensor_destroy(tb), goss_tensor_destroy(tc), goss_tensor_destroy(tw);
}

static void refused_calls(goss_comm* comm) {
  static float data[COUNT];
  goss_tensor* exact = tensor_of(comm, "exact", GOSS_FLOAT32, "identity");
  goss_tensor* lossy = tensor_of(comm, "lossy", GOSS_FLOAT32, "bf16");
  goss_request* request = NULL;
  int done = 0, messages = 0;
  double weight = 0;
  REFUSED(goss_allreduce(NULL, data, GOSS_SUM));
  REFUSED(goss_allreduce(exact, NULL, GOSS_SUM));
  REFUSED(goss_allreduce(exact, data, (goss_op)5)), SAYS("5");
  REFUSED(goss_iallreduce(NULL, data, GOSS_SUM, &request));
  REFUSED(goss_iallreduce(exact, NULL, GOSS_SUM, &request));
  REFUSED(goss_iallreduce(exact, data, GOSS_SUM, NULL));
  REFUSED(goss_mix(NULL, data));
  REFUSED(goss_mix(exact, NULL));
  REFUSED(goss_imix(exact, data, NULL));
  REFUSED(goss_broadcast(NULL, data, 0));
  REFUSED(goss_broadcast(exact, NULL, 0));
  REFUSED(goss_broadcast(exact, data, -1)), SAYS("-1");
  REFUSED(goss_broadcast(exact, data, size));
  REFUSED(goss_barrier(NULL));
  REFUSED(goss_wait(NULL));
  REFUSED(goss_wait_all(1, NULL));
  REFUSED(goss_test(NULL, &done));
  REFUSED(goss_test(&request, NULL));
  EXPECT(GOSS_ERR_UNSUPPORTED, goss_mix(lossy, data)), SAYS("bf16");
  EXPECT(GOSS_ERR_UNSUPPORTED, goss_imix(lossy, data, &request));
  EXPECT(GOSS_ERR_UNSUPPORTED, goss_push(exact, data));
  EXPECT(GOSS_ERR_UNSUPPORTED, goss_pull(exact, data, &messages));
  OK(goss_tensor_weight(exact, &weight));
  TRUE(weight == 1);
  REFUSED(goss_tensor_weight(NULL, &weight));
  REFUSED(goss_tensor_weight(exact, NULL));
  TRUE(request == NULL);
  goss_tensor_destroy(exact), goss_tensor_destroy(lossy);
}

/* A NaN on one rank: all ranks hear of it, none takes the step, and the next one goes well. */
static void not_a_number(goss_comm* comm) {
  static float data[COUNT], before[COUNT], residual[COUNT];
  const float zero = 0;
  goss_tensor* tensor = tensor_of(comm, "nan", GOSS_FLOAT32, "int8");
  fill(data);
  if (rank == size - 1) data[COUNT / 2] = zero / zero;
  memcpy(before, data, sizeof data);
  EXPECT(GOSS_ERR_NUMERIC, goss_allreduce(tensor, data, GOSS_MEAN)), SAYS("nan");
  TRUE(memcmp(before, data, sizeof data) == 0);
  OK(goss_tensor_residual(tensor, residual));
  for (int i = 0; i < COUNT; ++i) TRUE(residual[i] == 0);
  fill(data);
  OK(goss_allreduce(tensor, data, GOSS_MEAN));
  goss_tensor_destroy(tensor);
}

/* Saved, spoilt by another step, loaded, and repeated: the same bits. */
static void state_of_tensors(goss_comm* comm) {
  static float first[COUNT], again[COUNT], residual[COUNT];
  goss_tensor* tensor = tensor_of(comm, "state", GOSS_FLOAT32, "topk:ratio=0.05,ef=on");
  goss_tensor* other = tensor_of(comm, "other", GOSS_FLOAT32, "topk:ratio=0.05,ef=on");
  size_t bytes = 0, written = 0;
  double dropped = 0;
  char* saved;
  fill(first);
  OK(goss_allreduce(tensor, first, GOSS_SUM));
  OK(goss_tensor_save(tensor, NULL, 0, &bytes));
  TRUE(bytes >= COUNT * sizeof(float));
  TRUE((saved = malloc(bytes)) != NULL);
  REFUSED(goss_tensor_save(tensor, saved, bytes - 1, &written)), SAYS("state");
  REFUSED(goss_tensor_save(NULL, saved, bytes, &written));
  REFUSED(goss_tensor_save(tensor, saved, bytes, NULL));
  OK(goss_tensor_save(tensor, saved, bytes, &written));
  TRUE(written == bytes);
  fill(first), OK(goss_allreduce(tensor, first, GOSS_SUM));
  OK(goss_tensor_load(tensor, saved, bytes));
  fill(again), OK(goss_allreduce(tensor, again, GOSS_SUM));
  TRUE(memcmp(first, again, sizeof first) == 0);

  EXPECT(GOSS_ERR_MISMATCH, goss_tensor_load(other, saved, bytes));
  EXPECT(GOSS_ERR_CORRUPT, goss_tensor_load(tensor, saved, bytes - 1));
  saved[bytes / 2] ^= 1;
  EXPECT(GOSS_ERR_CORRUPT, goss_tensor_load(tensor, saved, bytes));
  REFUSED(goss_tensor_load(NULL, saved, bytes));
  REFUSED(goss_tensor_load(tensor, NULL, bytes));

  OK(goss_tensor_residual(tensor, residual));
  for (int i = 0; i < COUNT; ++i) dropped += residual[i] * residual[i];
  TRUE(dropped > 0);
  REFUSED(goss_tensor_residual(tensor, NULL));
  REFUSED(goss_tensor_residual(NULL, residual));
  OK(goss_tensor_reset(tensor));
  REFUSED(goss_tensor_reset(NULL));
  REFUSED(goss_tensor_second_moments(NULL, NULL));
  OK(goss_tensor_residual(tensor, residual));
  for (int i = 0; i < COUNT; ++i) TRUE(residual[i] == 0);
  free(saved);
  goss_tensor_destroy(tensor), goss_tensor_destroy(other);
}

static void statistics(goss_comm* comm) {
  static float data[COUNT];
  goss_stats stats = {.struct_size = sizeof stats}, none = {.struct_size = 0};
  goss_tensor* tensor = tensor_of(comm, "counted", GOSS_FLOAT32, "identity");
  fill(data), OK(goss_allreduce(tensor, data, GOSS_SUM));
  OK(goss_tensor_stats(tensor, &stats));
  TRUE(stats.calls == 1 && stats.dense_bytes == COUNT * sizeof(float) && stats.seconds > 0);
  TRUE(size == 1 || (stats.bytes_sent >= stats.dense_bytes / 2 && stats.bytes_received >= stats.dense_bytes / 2));
  TRUE(stats.residual_norm == 0 && stats.struct_size == sizeof stats);
  OK(goss_comm_stats(comm, &stats));
  TRUE(stats.calls >= 1);
  REFUSED(goss_tensor_stats(tensor, &none));
  REFUSED(goss_comm_stats(comm, &none));
  REFUSED(goss_tensor_stats(NULL, &stats));
  REFUSED(goss_tensor_stats(tensor, NULL));
  REFUSED(goss_comm_stats(NULL, &stats));
  REFUSED(goss_comm_stats(comm, NULL));
  goss_tensor_destroy(tensor);
}

static void codec_alone(void) {
  static float in[COUNT], out[COUNT];
  const size_t dims[] = {SIDE, COUNT / SIDE};
  const float zero = 0;
  size_t bytes = 0;
  fill(in);
  OK(goss_codec_apply("bf16", in, out, 2, dims, 1, &bytes));
  TRUE(bytes >= 2 * COUNT && bytes < 2 * COUNT + 256);
  for (int i = 0; i < COUNT; ++i) TRUE(out[i] == in[i]); /* whole numbers up to 256 fit bf16 */
  REFUSED(goss_codec_apply("zip", in, out, 2, dims, 1, &bytes)), SAYS("zip");
  REFUSED(goss_codec_apply("topk:ratio=0", in, out, 2, dims, 1, &bytes)), SAYS("ratio=0");
  REFUSED(goss_codec_apply("powersgd:rank=65", in, out, 2, dims, 1, &bytes)), SAYS("64");
  REFUSED(goss_codec_apply(NULL, in, out, 2, dims, 1, &bytes));
  REFUSED(goss_codec_apply("bf16", NULL, out, 2, dims, 1, &bytes));
  REFUSED(goss_codec_apply("bf16", in, NULL, 2, dims, 1, &bytes));
  REFUSED(goss_codec_apply("bf16", in, out, 2, NULL, 1, &bytes));
  REFUSED(goss_codec_apply("bf16", in, out, 2, dims, 1, NULL));
  in[1] = zero / zero;
  EXPECT(GOSS_ERR_NUMERIC, goss_codec_apply("bf16", in, out, 2, dims, 1, &bytes));
}

/* Ranks that disagree hear so on every rank; about a call, it ends the communicator. */
static void disagreement(void) {
  static float data[COUNT];
  goss_comm* comm = NULL;
  goss_tensor* tensor;
  int count = -1;
  if (size == 1) return;
  EXPECT(GOSS_ERR_MISMATCH, connect_all(rank == 0 ? "seed=1" : "seed=2", &comm)), SAYS("seed=");
  EXPECT(GOSS_ERR_ARGUMENT, connect_all(rank == 0 ? "codec=zip" : "", &comm)), SAYS("zip");
  TRUE(comm == NULL);
  OK(connect_all("", &comm));
  tensor = tensor_of(comm, "disputed", GOSS_FLOAT32, NULL);
  EXPECT(GOSS_ERR_MISMATCH, goss_allreduce(tensor, data, rank == 0 ? GOSS_SUM : GOSS_MEAN)), SAYS("disputed");
  EXPECT(GOSS_ERR_MISMATCH, goss_allreduce(tensor, data, GOSS_SUM));
  EXPECT(GOSS_ERR_MISMATCH, goss_barrier(comm));
  OK(goss_comm_failed(comm, NULL, 0, &count));
  TRUE(count == 0);
  goss_tensor_destroy(tensor);
  goss_comm_destroy(comm);
}

int main(int argc, char** argv) {
  goss_comm* comm = NULL;
  words_and_registries();
#ifdef USE_ENV
  (void)argc, (void)argv;
#else
  MPI_Init(&argc, &argv);
  REFUSED(goss_comm_create_mpi(MPI_COMM_NULL, "", &comm));
#endif
  OK(connect_all("timeout=20", &comm));
  rank = goss_comm_rank(comm), size = goss_comm_size(comm);
  refused_communicators();
  questions(comm);
  refused_tensors(comm);
  exact_calls(comm);
  refused_calls(comm);
  not_a_number(comm);
  state_of_tensors(comm);
  statistics(comm);
  codec_alone();
  goss_comm_destroy(comm);
  disagreement();
#ifndef USE_ENV
  MPI_Finalize();
#endif
  return 0;
}
