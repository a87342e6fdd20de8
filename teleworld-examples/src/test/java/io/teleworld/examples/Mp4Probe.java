package io.teleworld.examples;

import static org.bytedeco.ffmpeg.global.avcodec.av_packet_alloc;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_free;
import static org.bytedeco.ffmpeg.global.avcodec.av_packet_unref;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_alloc_context3;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_find_decoder;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_free_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_open2;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_parameters_to_context;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_receive_frame;
import static org.bytedeco.ffmpeg.global.avcodec.avcodec_send_packet;
import static org.bytedeco.ffmpeg.global.avformat.av_read_frame;
import static org.bytedeco.ffmpeg.global.avformat.avformat_close_input;
import static org.bytedeco.ffmpeg.global.avformat.avformat_find_stream_info;
import static org.bytedeco.ffmpeg.global.avformat.avformat_open_input;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_alloc;
import static org.bytedeco.ffmpeg.global.avutil.av_frame_free;

import java.nio.file.Path;
import org.bytedeco.ffmpeg.avcodec.AVCodecContext;
import org.bytedeco.ffmpeg.avcodec.AVPacket;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStream;
import org.bytedeco.ffmpeg.avutil.AVDictionary;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.global.avcodec;
import org.bytedeco.javacpp.PointerPointer;

/**
 * A video as a player sees it.
 *
 * @param frames that can be decoded
 * @param width in pixels
 * @param height in pixels
 * @param h264 whether it is H.264
 * @param framesPerSecond that it says
 */
record Mp4Probe(int frames, int width, int height, boolean h264, double framesPerSecond) {

    static Mp4Probe of(Path file) {
        AVFormatContext format = new AVFormatContext(null);
        if (avformat_open_input(format, file.toString(), null, null) < 0) {
            throw new IllegalStateException(file + " does not open");
        }
        AVPacket packet = av_packet_alloc();
        AVFrame frame = av_frame_alloc();
        AVCodecContext decoder = null;
        try {
            avformat_find_stream_info(format, (PointerPointer<?>) null);
            AVStream stream = format.streams(0);
            int id = stream.codecpar().codec_id();
            decoder = avcodec_alloc_context3(avcodec_find_decoder(id));
            avcodec_parameters_to_context(decoder, stream.codecpar());
            avcodec_open2(decoder, avcodec_find_decoder(id), (AVDictionary) null);
            int frames = 0;
            while (av_read_frame(format, packet) >= 0) {
                avcodec_send_packet(decoder, packet);
                av_packet_unref(packet);
                while (avcodec_receive_frame(decoder, frame) >= 0) {
                    frames++;
                }
            }
            avcodec_send_packet(decoder, null);
            while (avcodec_receive_frame(decoder, frame) >= 0) {
                frames++;
            }
            return new Mp4Probe(
                    frames,
                    stream.codecpar().width(),
                    stream.codecpar().height(),
                    id == avcodec.AV_CODEC_ID_H264,
                    (double) stream.avg_frame_rate().num()
                            / stream.avg_frame_rate().den());
        } finally {
            av_frame_free(frame);
            av_packet_free(packet);
            if (decoder != null) {
                avcodec_free_context(decoder);
            }
            avformat_close_input(format);
        }
    }
}
