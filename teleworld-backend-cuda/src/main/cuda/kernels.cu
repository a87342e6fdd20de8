// All kernels in one module.
#include "operators.cu"
#include "fused.cu"
#include "attention.cu"
#include "convolution.cu"
#include "plan.cu"
