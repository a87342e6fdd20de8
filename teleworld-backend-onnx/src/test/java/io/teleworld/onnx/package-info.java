/** Tests of the ONNX Runtime backend. */
@NullMarked
package io.teleworld.onnx;

import org.jspecify.annotations.NullMarked;
