package io.teleworld.training.torch;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The inputs of one node while it runs. Handles are borrowed: an operator neither closes nor returns them. */
interface Operands {

    int size();

    /** An input as it is: fp32, or narrower where a product made it. */
    Tensor get(int index);

    /** An input in the element type of products; the conversion is made once per run. */
    Tensor product(int index);

    /** A convolution's weight in the element type and memory layout of products; made once per run. */
    Tensor kernel(int index);

    /** A boolean attention mask as groups of queries that see the same keys, where that pays; found once per run. */
    @Nullable
    VisibilityBlocks blocks(int index);

    /** An attention mask as something to add to the scores; made once per run. */
    Tensor mask(int index);
}
