package io.teleworld.cuda.kernel;

/** Within the catalogue: there is no kernel, for the reason that the message says. */
final class NoKernelException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    NoKernelException(String reason) {
        super(reason, null, false, false);
    }
}
