package io.teleworld.examples;

import io.teleworld.RgbImage;
import io.teleworld.error.TeleWorldException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.ffmpeg.global.avutil;
import org.bytedeco.javacv.FFmpegFrameRecorder;
import org.bytedeco.javacv.Frame;

/**
 * Writes pictures as an H.264 video in an MP4 file. Confined to one thread; the caller closes it, and the file plays once
 * it is closed, however many pictures there are.
 */
final class Mp4Writer implements AutoCloseable {

    private static final int BITS_PER_PIXEL_SECOND = 4;

    private final Path file;
    private final int width;
    private final int height;
    private final FFmpegFrameRecorder recorder;
    private final Frame frame;
    private boolean closed;

    /**
     * @param width of pictures as given to {@link #write}, in pixels
     * @param height of pictures as given to {@link #write}, in pixels
     * @param scale how many times the video is larger, at least 1; width and height times this must be even
     */
    Mp4Writer(Path file, int width, int height, double framesPerSecond, int scale) {
        this.file = file;
        this.width = width * scale;
        this.height = height * scale;
        avutil.av_log_set_level(avutil.AV_LOG_ERROR);
        this.frame = new Frame(this.width, this.height, Frame.DEPTH_UBYTE, 3);
        this.recorder = new FFmpegFrameRecorder(file.toFile(), this.width, this.height, 0);
        recorder.setFormat("mp4");
        recorder.setVideoCodec(avcodec.AV_CODEC_ID_H264);
        recorder.setVideoCodecName("libopenh264");
        recorder.setPixelFormat(avutil.AV_PIX_FMT_YUV420P);
        recorder.setFrameRate(framesPerSecond);
        recorder.setGopSize((int) Math.round(framesPerSecond));
        recorder.setVideoBitrate(BITS_PER_PIXEL_SECOND * this.width * this.height);
        recorder.setOption("movflags", "+faststart");
        try {
            recorder.start();
        } catch (FFmpegFrameRecorder.Exception e) {
            throw failure(e);
        }
    }

    void write(RgbImage image) {
        RgbImage scaled = image.fit(width, height);
        ByteBuffer to = (ByteBuffer) frame.image[0];
        byte[] rgb = scaled.rgb();
        for (int y = 0; y < height; y++) {
            to.position(y * frame.imageStride);
            to.put(rgb, 3 * y * width, 3 * width);
        }
        to.rewind();
        try {
            recorder.record(frame, avutil.AV_PIX_FMT_RGB24);
        } catch (FFmpegFrameRecorder.Exception e) {
            throw failure(e);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            recorder.stop();
            recorder.release();
        } catch (FFmpegFrameRecorder.Exception e) {
            throw failure(e);
        } finally {
            frame.close();
        }
    }

    private TeleWorldException failure(Exception e) {
        return new TeleWorldException(
                TeleWorldException.Category.RESOURCE, file + ": the video cannot be written: " + e.getMessage(), e);
    }
}
