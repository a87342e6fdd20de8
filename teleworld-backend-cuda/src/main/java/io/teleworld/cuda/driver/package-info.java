/** The narrow part of the CUDA driver and cuBLASLt that the engine uses; every failure is a TeleWorldException naming the call. */
@NullMarked
package io.teleworld.cuda.driver;

import org.jspecify.annotations.NullMarked;
