/* Gossamer: compressed averaging of gradients and models between ranks, without a master.
 *
 * Conventions:
 * 1. Everything that can fail returns `goss_status`; GOSS_OK is 0. Outputs are set only on success.
 * 2. goss_last_error() is the calling thread's last failure in words: rank, tensor, hop, and what to do.
 * 3. Handles are opaque, made by *_create, ended by *_destroy(handle); destroying NULL does nothing.
 * 4. Text specs choose topology, codec, transport. GOSSAMER_<KEY> in the environment overrides the same key in a config
 *    string, so that an experiment needs no recompile.
 * 5. `count` is elements, `bytes` is bytes, times are seconds (double).
 * 6. Collective calls must be made by all ranks, for different tensors in any order. A communicator may be used by
 *    several threads; one tensor by one at a time.
 *
 * After GOSS_ERR_PEER, GOSS_ERR_TIMEOUT, GOSS_ERR_CORRUPT, GOSS_ERR_SYSTEM or a GOSS_ERR_MISMATCH about a call, the
 * communicator has failed: every pending and later call on it returns that status at once, on every rank. Buffers given
 * to a failed call may be read or written until goss_comm_destroy returns. With on_failure=continue a death (PEER) fails
 * calls that need all ranks only: goss_mix, goss_push and goss_pull go on among the living (docs/gossip.md), with other
 * buffers than those of failed calls.
 */
#ifndef GOSSAMER_GOSSAMER_H
#define GOSSAMER_GOSSAMER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GOSS_API __attribute__((visibility("default")))
#else
#define GOSS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GOSS_VERSION_MAJOR 0
#define GOSS_VERSION_MINOR 1
#define GOSS_VERSION_PATCH 0

typedef enum goss_status {
  GOSS_OK = 0,
  GOSS_ERR_ARGUMENT = 1,    /* a caller's mistake: NULL, unknown spec or key, value out of range */
  GOSS_ERR_MISMATCH = 2,    /* ranks disagree about a tensor's shape, dtype, codec, or about the call */
  GOSS_ERR_MEMORY = 3,
  GOSS_ERR_TIMEOUT = 4,     /* a peer did not answer within `timeout` */
  GOSS_ERR_PEER = 5,        /* a peer died or cut its connection */
  GOSS_ERR_CORRUPT = 6,     /* received bytes that the codec cannot have made */
  GOSS_ERR_NUMERIC = 7,     /* NaN or Inf in the input, under nonfinite=error (the default) */
  GOSS_ERR_UNSUPPORTED = 8,
  GOSS_ERR_SYSTEM = 9,      /* UCX, socket or operating system */
  GOSS_ERR_INTERNAL = 10
} goss_status;

typedef enum goss_dtype { GOSS_FLOAT32 = 0, GOSS_FLOAT64 = 1, GOSS_FLOAT16 = 2, GOSS_BFLOAT16 = 3 } goss_dtype;
typedef enum goss_op { GOSS_SUM = 0, GOSS_MEAN = 1 } goss_op;

typedef struct goss_comm goss_comm;
typedef struct goss_tensor goss_tensor;
typedef struct goss_request goss_request;

/* ---- Words and registries: no communicator needed, thread-safe, never block ---------------------------------------- */

/* "0.1.0"; static storage. */
GOSS_API const char *goss_version(void);
/* The status in a few words, e.g. "peer failed"; static storage; any value is allowed. */
GOSS_API const char *goss_status_string(goss_status status);
/* The calling thread's last failure in words; "" before the first. Valid until the thread's next failing call. */
GOSS_API const char *goss_last_error(void);
/* Walk the registries: name number `index`, NULL past the end or below 0. Static storage. */
GOSS_API const char *goss_codec_name(int index);
GOSS_API const char *goss_topology_name(int index);
GOSS_API const char *goss_transport_name(int index);

/* ---- Communicator -------------------------------------------------------------------------------------------------- */

/* How ranks find each other, once: an all-gather of equal-sized blobs. `allgather` puts the blob of rank r at
 * all + r * bytes on every rank and returns 0 on success. It is called during goss_comm_create only, a few times, on
 * the calling thread. */
typedef struct goss_bootstrap {
  int rank, size;
  int (*allgather)(void *context, const void *mine, void *all, size_t bytes);
  void *context;
} goss_bootstrap;

/* Makes a communicator. Collective and blocking; gives up after `timeout` seconds without an answer.
 * config: "key=value key=value …", see `gossamer info`; NULL or "" is all defaults. The communicator is the caller's;
 * `bootstrap` is not kept. A rank on which creation fails tells the others, so all ranks fail together.
 * Errors: ARGUMENT (names the key and the known ones), MISMATCH (ranks' configs differ), SYSTEM, TIMEOUT, MEMORY. */
GOSS_API goss_status goss_comm_create(const goss_bootstrap *bootstrap, const char *config, goss_comm **comm);
/* The same without MPI: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT as torchrun sets them (rank and size also from
 * PMI_*, OMPI_COMM_WORLD_*, SLURM_*). Rank 0 listens on MASTER_ADDR:MASTER_PORT until all have called.
 * Errors besides those above: ARGUMENT (a variable is missing or no number), SYSTEM (the port is taken). */
GOSS_API goss_status goss_comm_create_env(const char *config, goss_comm **comm);
/* Ends a communicator. Blocks until the neighbours have what was sent to them, at most `timeout` and at most
 * 5 seconds; at once if the communicator has failed. Wait for all requests and destroy all tensors first. */
GOSS_API void goss_comm_destroy(goss_comm *comm);
/* This rank, and how many there are; -1 for NULL. Never block. */
GOSS_API int goss_comm_rank(const goss_comm *comm);
GOSS_API int goss_comm_size(const goss_comm *comm);
/* What is in force, several lines, into `text` (at most `capacity` bytes with the final NUL, cut if longer). Local. */
GOSS_API goss_status goss_comm_describe(const goss_comm *comm, char *text, size_t capacity);
/* This rank's in-neighbours in gossip round `round` with their weights, and its own weight, as if nobody had died; they sum to 1 unless only
 * the columns of the graph's matrix do (weights=out-uniform). Local.
 * Writes at most `capacity` ranks and weights; *count is how many there are. ranks, weights, self_weight may be NULL. */
GOSS_API goss_status goss_comm_neighbours(const goss_comm *comm, uint64_t round, int *ranks, double *weights,
                                          int capacity, int *count, double *self_weight);
/* 1 - |second eigenvalue| of the mixing matrix: how fast goss_mix forgets differences. Local. */
GOSS_API goss_status goss_comm_spectral_gap(const goss_comm *comm, double *gap);
/* Ranks known to be dead, at most `capacity`; *count is how many there are: the rank whose death ended the communicator, or
 * none; with on_failure=continue all of whom this rank has heard, in that order. Local. */
GOSS_API goss_status goss_comm_failed(const goss_comm *comm, int *ranks, int capacity, int *count);

/* ---- Tensors ------------------------------------------------------------------------------------------------------- */

/* Registers a tensor: its name (unique in the communicator), type, row-major dims, and codec spec (NULL: the
 * communicator's). Collective and blocking; ranks may create tensors in different orders only from different threads.
 * Data is not allocated: calls take the caller's buffer of product(dims) elements. The handle is the caller's.
 * Errors: ARGUMENT (spec, dims, name in use), MISMATCH (names a rank that disagrees, and on what), PEER, TIMEOUT, MEMORY. */
GOSS_API goss_status goss_tensor_create(goss_comm *comm, const char *name, goss_dtype dtype, int ndim,
                                        const size_t *dims, const char *codec, goss_tensor **tensor);
/* Ends a tensor; local. Waits for its call in flight, if any. */
GOSS_API void goss_tensor_destroy(goss_tensor *tensor);

/* ---- Collectives --------------------------------------------------------------------------------------------------- */
/* In place. Blocking forms return when `data` holds the result; i-forms return at once and `data` belongs to the call
 * until goss_wait. All ranks end with the same bits. One call at a time per tensor; any number of tensors.
 * Errors of all: ARGUMENT, MISMATCH, NUMERIC (on every rank; the residual is as before, and `data` too unless the
 * tensor goes uncompressed, when it holds the non-finite sum), TIMEOUT, PEER, CORRUPT, SYSTEM. */

/* data <- sum or mean over ranks, compressed by the tensor's codec. */
GOSS_API goss_status goss_allreduce(goss_tensor *tensor, void *data, goss_op op);
GOSS_API goss_status goss_iallreduce(goss_tensor *tensor, void *data, goss_op op, goss_request **request);
/* One gossip round with the neighbours on the graph, by the communicator's method (mixing=, see docs/gossip.md): with
 * `average`, data <- w_ii data + sum over in-neighbours j of w_ij data_j (D-PSGD, Lian et al., NeurIPS 2017). Waits for
 * the neighbours' messages of the same round only; ranks may so be apart by as many rounds as hops. No agreement: a
 * neighbour that makes another call on the tensor is waited for until TIMEOUT. NUMERIC on the rank with NaN or Inf and
 * on its neighbours, whose models stay as they are; and on a rank whose round comes to NaN or Inf, which has lost its
 * model. With on_failure=continue a neighbour that dies is left out, this rank taking over its weight. ARGUMENT if the
 * method or its step size does not go with that. UNSUPPORTED for a tensor with a lossy codec under a method that does
 * not compress, and for one that is part of a model (granularity=model). */
GOSS_API goss_status goss_mix(goss_tensor *tensor, void *data);
GOSS_API goss_status goss_imix(goss_tensor *tensor, void *data, goss_request **request);
/* Asynchronous gossip (push-sum), on graphs whose columns sum to 1. goss_push hands shares of data's mass to the
 * out-neighbours and returns; it never waits for a peer. `data` stays as it is; the weight shrinks. What a neighbour
 * has not taken yet is not added to: its share stays here. NUMERIC (on this rank only) for NaN or Inf.
 * With mixing=pairwise (AD-PSGD), on graphs whose edges go both ways, it instead publishes `data` and asks one random
 * neighbour to average with it, unless it is still waiting for the answer of another; the weight stays 1. */
GOSS_API goss_status goss_push(goss_tensor *tensor, void *data);
/* Folds in whatever has arrived (maybe nothing), *messages of them (may be NULL), exchanges with mixing=pairwise. Never
 * waits for a peer, except with staleness=S, until no in-neighbour has pushed less often than this rank, less S; TIMEOUT
 * then. data is always the de-biased estimate x/w. Both: UNSUPPORTED for a tensor with a lossy codec. Only after the
 * first push or pull can a rank receive; from then on it holds a copy of the tensor for each in- and each out-neighbour.
 */
GOSS_API goss_status goss_pull(goss_tensor *tensor, void *data, int *messages);
/* Push-sum weight w of this rank; with what is in flight, and what the dead took with them, they sum to n. 1 under methods without weights. Local. */
GOSS_API goss_status goss_tensor_weight(const goss_tensor *tensor, double *weight);
/* data of rank `root` to all, exact (never compressed); e.g. the initial model. Non-finite values pass. */
GOSS_API goss_status goss_broadcast(goss_tensor *tensor, void *data, int root);
/* Returns when all ranks have called. */
GOSS_API goss_status goss_barrier(goss_comm *comm);

/* Blocks until the call is done; frees the request and sets it to NULL. A NULL request is OK. Returns the call's status. */
GOSS_API goss_status goss_wait(goss_request **request);
/* The same for several; the first failure wins, all are freed. */
GOSS_API goss_status goss_wait_all(int count, goss_request **requests);
/* Never blocks; *done is 1 and the request freed when the call is over (its status is returned), 0 otherwise. */
GOSS_API goss_status goss_test(goss_request **request, int *done);

/* ---- State that outlives calls: residual, warm start. Save every rank's own with a checkpoint ---------------------- */
/* Local; not while a call on the tensor is in flight (ARGUMENT). */

/* The residual: count floats; zeros if the codec keeps none. */
GOSS_API goss_status goss_tensor_residual(goss_tensor *tensor, float *out);
/* Writes the state into `buffer` and its size to *bytes; buffer NULL: only *bytes. ARGUMENT if capacity is too small. */
GOSS_API goss_status goss_tensor_save(goss_tensor *tensor, void *buffer, size_t capacity, size_t *bytes);
/* Takes back what goss_tensor_save wrote, for the same name, dtype, dims and codec: the next call continues to the bit.
 * CORRUPT if the bytes are not whole, MISMATCH if they belong to another tensor; the state is then as before. */
GOSS_API goss_status goss_tensor_load(goss_tensor *tensor, const void *buffer, size_t bytes);
/* As when it was created. Do it on all ranks. */
GOSS_API goss_status goss_tensor_reset(goss_tensor *tensor);
/* For codecs that weigh a gradient by how much its samples agree (`variance`): for each element the sum over the B
 * samples of (their gradient / B) squared, of the gradient that the tensor's next all-reduce is given. `moments`: count
 * floats, in the units of the input squared, the caller's again on return. Optional: without it the rank's gradient counts as one sample.
 * Local, never blocks; not while a call is under way. Errors: ARGUMENT (negative or not finite), UNSUPPORTED (the
 * tensor's codec takes none, or it is part of a model under granularity=model). */
GOSS_API goss_status goss_tensor_second_moments(goss_tensor *tensor, const float *moments);

/* ---- Statistics ---------------------------------------------------------------------------------------------------- */

typedef struct goss_stats {       /* since creation, this rank */
  size_t struct_size;             /* set by the caller to sizeof(goss_stats): later versions only append */
  uint64_t calls;
  uint64_t dense_bytes;           /* what the inputs were: calls x count x sizeof(dtype) */
  uint64_t bytes_sent, bytes_received; /* on the wire, headers included, this tensor's calls */
  double seconds, encode_seconds, reduce_seconds, decode_seconds, wait_seconds;
  double residual_norm;           /* L2, after the last call */
} goss_stats;
/* Local; ARGUMENT if struct_size is not set, or while a call on the tensor is in flight. */
GOSS_API goss_status goss_tensor_stats(const goss_tensor *tensor, goss_stats *stats);
/* The same summed over the communicator's tensors, past and present, and its barriers (residual_norm: root of the sum of squares). */
GOSS_API goss_status goss_comm_stats(const goss_comm *comm, goss_stats *stats);

/* One codec alone, no communication: out = decode(encode(in)), *payload_bytes = encoded size. For choosing and for tests.
 * Error feedback off. Local; thread-safe. `in` and `out` are product(dims) floats and may be the same.
 * Errors: ARGUMENT, NUMERIC, MEMORY. */
GOSS_API goss_status goss_codec_apply(const char *codec, const float *in, float *out, int ndim, const size_t *dims,
                                      uint64_t seed, size_t *payload_bytes);

#ifdef __cplusplus
}
#endif

#endif
