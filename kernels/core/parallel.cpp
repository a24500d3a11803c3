#include "kernels/core/parallel.h"

#include <omp.h>

int num_threads() { return omp_get_max_threads(); }

void set_threads(int threads) { omp_set_num_threads(threads); }
