/** The typed graph in which every network is written once; operators carry ONNX names and semantics. */
@NullMarked
package io.teleworld.graph;

import org.jspecify.annotations.NullMarked;
