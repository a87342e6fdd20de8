/**
 * The ONNX Runtime backend: lowers graphs to ONNX, runs them on the host processor and writes them as {@code .onnx}
 * files.
 */
@NullMarked
package io.teleworld.onnx;

import org.jspecify.annotations.NullMarked;
