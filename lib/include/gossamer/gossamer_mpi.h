/* Gossamer from an MPI program: one function over the caller's own MPI, so that one build of the library serves all.
 * Include after or instead of <mpi.h>; the library itself links no MPI. */
#ifndef GOSSAMER_GOSSAMER_MPI_H
#define GOSSAMER_GOSSAMER_MPI_H

#include <gossamer/gossamer.h>
#include <mpi.h>

static inline int goss_mpi_allgather_(void *context, const void *mine, void *all, size_t bytes) {
  if (bytes > 0x7fffffff) return MPI_ERR_COUNT;
  return MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, *(MPI_Comm *)context);
}

/* A communicator over the ranks of `mpi_comm`. Collective and blocking. `mpi_comm` is used during the call only.
 * Errors: those of goss_comm_create; ARGUMENT if mpi_comm is MPI_COMM_NULL (through goss_comm_create). */
static inline goss_status goss_comm_create_mpi(MPI_Comm mpi_comm, const char *config, goss_comm **comm) {
  goss_bootstrap bootstrap;
  bootstrap.rank = -1;
  bootstrap.size = 0;
  bootstrap.allgather = goss_mpi_allgather_;
  bootstrap.context = &mpi_comm;
  if (mpi_comm != MPI_COMM_NULL) {
    MPI_Comm_rank(mpi_comm, &bootstrap.rank);
    MPI_Comm_size(mpi_comm, &bootstrap.size);
  }
  return goss_comm_create(&bootstrap, config, comm);
}

#endif
