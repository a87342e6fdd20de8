/** Programs that measure the ONNX Runtime backend. */
@NullMarked
package io.teleworld.onnx.bench;

import org.jspecify.annotations.NullMarked;
