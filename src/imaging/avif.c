/* libavif as a few flat functions. Its structures differ between versions: here the headers of the one that is installed say
 * how, so that no layout is repeated in Rust. Works with 0.11 and every 1.x. */

#include <avif/avif.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What a file is, by its boxes. Pointers are good until the decoder is closed. */
typedef struct {
    uint32_t width, height, depth;
    uint32_t has_alpha;
    /* As EXIF counts: what irot and then imir do. */
    uint32_t orientation;
    uint32_t is_cut, left, top, cut_width, cut_height;
    uint32_t primaries, transfer, matrix, full_range;
    const uint8_t *icc, *exif, *xmp;
    size_t icc_size, exif_size, xmp_size;
} darkroom_avif_info;

static uint32_t orientation_of(const avifImage *image)
{
    /* Turned counter-clockwise by 90 degrees as often as the index says: as it is, top and bottom exchanged, left and right. */
    static const uint32_t turned[4][3] = { { 1, 4, 2 }, { 8, 5, 7 }, { 3, 2, 4 }, { 6, 7, 5 } };
    uint32_t turns = 0, mirror = 0;
    if (image->transformFlags & AVIF_TRANSFORM_IROT) {
        turns = image->irot.angle & 3;
    }
    if (image->transformFlags & AVIF_TRANSFORM_IMIR) {
#if AVIF_VERSION >= 1000000
        mirror = 1 + (image->imir.axis & 1);
#else
        mirror = 1 + (image->imir.mode & 1);
#endif
    }
    return turned[turns][mirror];
}

/* `size` bytes of a file of `length`: the headers may be all there is. */
avifDecoder *darkroom_avif_open(const uint8_t *data, size_t size, uint64_t length, uint32_t pixels, uint32_t side, int headers_only,
                                darkroom_avif_info *info, const char **error)
{
    avifDecoder *decoder = avifDecoderCreate();
    avifResult result = AVIF_RESULT_OUT_OF_MEMORY;
    const avifImage *image;
    avifIO *io = decoder ? avifIOCreateMemoryReader(data, size) : NULL;
    if (!io) {
        if (decoder) {
            avifDecoderDestroy(decoder);
        }
        *error = avifResultToString(result);
        return NULL;
    }
    decoder->maxThreads = 1;
    decoder->imageSizeLimit = pixels;
    decoder->imageDimensionLimit = side;
    decoder->ignoreExif = headers_only ? AVIF_TRUE : AVIF_FALSE;
    decoder->ignoreXMP = decoder->ignoreExif;
    /* Common encoders leave these out; nothing is unsafe without them. */
    decoder->strictFlags &= ~(avifStrictFlags)(AVIF_STRICT_PIXI_REQUIRED | AVIF_STRICT_ALPHA_ISPE_REQUIRED);
    /* The decoder owns it now. */
    io->sizeHint = length;
    avifDecoderSetIO(decoder, io);
    result = avifDecoderParse(decoder);
    if (result != AVIF_RESULT_OK) {
        *error = avifResultToString(result);
        avifDecoderDestroy(decoder);
        return NULL;
    }
    image = decoder->image;
    memset(info, 0, sizeof *info);
    info->width = image->width;
    info->height = image->height;
    info->depth = image->depth;
    info->has_alpha = decoder->alphaPresent ? 1 : 0;
    info->orientation = orientation_of(image);
    if (image->transformFlags & AVIF_TRANSFORM_CLAP) {
        avifCropRect rectangle;
        avifDiagnostics diagnostics;
        avifDiagnosticsClearError(&diagnostics);
        if (avifCropRectConvertCleanApertureBox(&rectangle, &image->clap, image->width, image->height, image->yuvFormat,
                                                &diagnostics)) {
            info->is_cut = 1;
            info->left = rectangle.x;
            info->top = rectangle.y;
            info->cut_width = rectangle.width;
            info->cut_height = rectangle.height;
        }
    }
    info->primaries = image->colorPrimaries;
    info->transfer = image->transferCharacteristics;
    info->matrix = image->matrixCoefficients;
    info->full_range = image->yuvRange == AVIF_RANGE_FULL;
    info->icc = image->icc.data;
    info->icc_size = image->icc.size;
    info->exif = image->exif.data;
    info->exif_size = image->exif.size;
    info->xmp = image->xmp.data;
    info->xmp_size = image->xmp.size;
    return decoder;
}

/* Decodes the first picture into RGBA with straight alpha: `depth` is 8 or 16. Null, or why not. */
const char *darkroom_avif_pixels(avifDecoder *decoder, void *pixels, uint32_t width, uint32_t height, uint32_t depth)
{
    avifRGBImage rgb;
    avifResult result = avifDecoderNextImage(decoder);
    if (result != AVIF_RESULT_OK) {
        return avifResultToString(result);
    }
    if (decoder->image->width != width || decoder->image->height != height) {
        return "the pixels are not of the size that the header says";
    }
    avifRGBImageSetDefaults(&rgb, decoder->image);
    rgb.format = AVIF_RGB_FORMAT_RGBA;
    rgb.depth = depth;
    rgb.alphaPremultiplied = AVIF_FALSE;
    rgb.pixels = pixels;
    rgb.rowBytes = width * 4 * (depth / 8);
    result = avifImageYUVToRGB(decoder->image, &rgb);
    return result == AVIF_RESULT_OK ? NULL : avifResultToString(result);
}

/* How planes lie: samples of luma to one of chroma, 0 where there is no chroma; and what their samples mean. */
typedef struct {
    uint32_t across, down, matrix, full_range;
} darkroom_avif_layout;

/* Decodes the first picture, which stays in its planes. Null, or why not. */
const char *darkroom_avif_decode(avifDecoder *decoder, darkroom_avif_layout *layout)
{
    uint32_t width = decoder->image->width, height = decoder->image->height, depth = decoder->image->depth;
    avifResult result = avifDecoderNextImage(decoder);
    if (result != AVIF_RESULT_OK) {
        return avifResultToString(result);
    }
    if (decoder->image->width != width || decoder->image->height != height || decoder->image->depth != depth) {
        return "the pixels are not of the size that the header says";
    }
    layout->matrix = decoder->image->matrixCoefficients;
    layout->full_range = decoder->image->yuvRange == AVIF_RANGE_FULL;
    switch (decoder->image->yuvFormat) {
    case AVIF_PIXEL_FORMAT_YUV444:
        layout->across = layout->down = 1;
        break;
    case AVIF_PIXEL_FORMAT_YUV422:
        layout->across = 2;
        layout->down = 1;
        break;
    case AVIF_PIXEL_FORMAT_YUV420:
        layout->across = layout->down = 2;
        break;
    case AVIF_PIXEL_FORMAT_YUV400:
        layout->across = layout->down = 0;
        break;
    default:
        return "planes of an unknown layout";
    }
    return NULL;
}

/* Copies rows of a plane of eight bits. Rows and room are the caller's to check; 0 if there is no such plane. */
int darkroom_avif_plane(const avifDecoder *decoder, int plane, uint32_t top, uint32_t rows, uint8_t *to, size_t stride)
{
    const avifImage *image = decoder->image;
    size_t width = image->width;
    if (plane < 0 || plane > 2 || image->depth != 8 || !image->yuvPlanes[plane]) {
        return 0;
    }
    if (plane > 0 && image->yuvFormat != AVIF_PIXEL_FORMAT_YUV444) {
        width = (width + 1) / 2;
    }
    for (uint32_t row = 0; row < rows; row++) {
        memcpy(to + row * stride, image->yuvPlanes[plane] + (size_t)(top + row) * image->yuvRowBytes[plane], width);
    }
    return 1;
}

/* Converts rows of the picture that was decoded into RGBA of eight bits with straight alpha. Null, or why not. */
const char *darkroom_avif_rows(const avifDecoder *decoder, uint32_t top, uint32_t rows, uint8_t *rgba)
{
    const avifCropRect part = { 0, top, decoder->image->width, rows };
    avifImage *view = avifImageCreateEmpty();
    avifRGBImage rgb;
    avifResult result = AVIF_RESULT_OUT_OF_MEMORY;
    if (view) {
        result = avifImageSetViewRect(view, decoder->image, &part);
    }
    if (result == AVIF_RESULT_OK) {
        avifRGBImageSetDefaults(&rgb, view);
        rgb.format = AVIF_RGB_FORMAT_RGBA;
        rgb.depth = 8;
        rgb.alphaPremultiplied = AVIF_FALSE;
        rgb.pixels = rgba;
        rgb.rowBytes = part.width * 4;
        result = avifImageYUVToRGB(view, &rgb);
    }
    if (view) {
        avifImageDestroy(view);
    }
    return result == AVIF_RESULT_OK ? NULL : avifResultToString(result);
}

void darkroom_avif_close(avifDecoder *decoder)
{
    avifDecoderDestroy(decoder);
}

/* What to write. */
typedef struct {
    const uint8_t *rgba;
    uint32_t width, height;
    uint32_t has_alpha;
    /* 0 to 100; 100 with `lossless`. */
    uint32_t quality, speed, full_color, lossless;
    const uint8_t *icc, *exif, *xmp;
    size_t icc_size, exif_size, xmp_size;
} darkroom_avif_order;

/* Encodes with libaom. Null, and `output` is to be freed with darkroom_avif_free; or why not. */
const char *darkroom_avif_encode(const darkroom_avif_order *order, uint8_t **output, size_t *size)
{
    avifPixelFormat format = order->full_color || order->lossless ? AVIF_PIXEL_FORMAT_YUV444 : AVIF_PIXEL_FORMAT_YUV420;
    avifImage *image = avifImageCreate(order->width, order->height, 8, format);
    avifEncoder *encoder = avifEncoderCreate();
    avifRWData data = AVIF_DATA_EMPTY;
    avifRGBImage rgb;
    avifResult result = AVIF_RESULT_OUT_OF_MEMORY;
    if (image && encoder) {
        /* How libavif maps quality to AV1's quantizers since 1.0. */
        int quantizer = order->lossless ? 0 : (int)((100 - order->quality) * 63 + 50) / 100;
        char level[16];
        image->yuvRange = AVIF_RANGE_FULL;
        image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
        image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
        image->matrixCoefficients =
            order->lossless ? AVIF_MATRIX_COEFFICIENTS_IDENTITY : AVIF_MATRIX_COEFFICIENTS_BT601;
        if (order->icc_size) {
            avifImageSetProfileICC(image, order->icc, order->icc_size);
            image->colorPrimaries = AVIF_COLOR_PRIMARIES_UNSPECIFIED;
            image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_UNSPECIFIED;
        }
        if (order->exif_size) {
            avifImageSetMetadataExif(image, order->exif, order->exif_size);
        }
        if (order->xmp_size) {
            avifImageSetMetadataXMP(image, order->xmp, order->xmp_size);
        }
        /* Some versions turn the picture as EXIF says; it is upright. */
        image->transformFlags = AVIF_TRANSFORM_NONE;
        avifRGBImageSetDefaults(&rgb, image);
        rgb.format = AVIF_RGB_FORMAT_RGBA;
        rgb.depth = 8;
        rgb.ignoreAlpha = order->has_alpha ? AVIF_FALSE : AVIF_TRUE;
        rgb.pixels = (uint8_t *)order->rgba;
        rgb.rowBytes = order->width * 4;
        result = avifImageRGBToYUV(image, &rgb);
        encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
        encoder->maxThreads = 1;
        encoder->speed = (int)order->speed;
        encoder->minQuantizer = encoder->minQuantizerAlpha = 0;
        encoder->maxQuantizer = encoder->maxQuantizerAlpha = order->lossless ? 0 : 63;
#if AVIF_VERSION >= 1000000
        encoder->quality = encoder->qualityAlpha = (int)order->quality;
#endif
        if (!order->lossless) {
            snprintf(level, sizeof level, "%d", quantizer);
            avifEncoderSetCodecSpecificOption(encoder, "end-usage", "q");
            avifEncoderSetCodecSpecificOption(encoder, "cq-level", level);
            /* Fine detail is stored in coarser steps (level 0 the most so, 15 not at all), and what is lost is weighed likewise:
             * 4 to 8 % fewer bytes at the same SSIMULACRA2. */
            avifEncoderSetCodecSpecificOption(encoder, "color:enable-qm", "1");
            avifEncoderSetCodecSpecificOption(encoder, "color:qm-min", order->full_color ? "10" : "7");
            avifEncoderSetCodecSpecificOption(encoder, "color:qm-max", order->full_color ? "10" : "7");
            avifEncoderSetCodecSpecificOption(encoder, "color:dist-metric", "qm-psnr");
        }
        if (result == AVIF_RESULT_OK) {
            result = avifEncoderAddImage(encoder, image, 1, AVIF_ADD_IMAGE_FLAG_SINGLE);
        }
        if (result == AVIF_RESULT_OK) {
            result = avifEncoderFinish(encoder, &data);
        }
    }
    if (encoder) {
        avifEncoderDestroy(encoder);
    }
    if (image) {
        avifImageDestroy(image);
    }
    if (result != AVIF_RESULT_OK) {
        avifRWDataFree(&data);
        return avifResultToString(result);
    }
    *output = data.data;
    *size = data.size;
    return NULL;
}

void darkroom_avif_free(uint8_t *output)
{
    avifFree(output);
}

const char *darkroom_avif_version(void)
{
    return avifVersion();
}

/* The codecs in use and their versions; at least 256 bytes. */
void darkroom_avif_codecs(char *names)
{
    avifCodecVersions(names);
}

/* The version of libyuv in use; 0 without one. */
uint32_t darkroom_avif_libyuv(void)
{
    return avifLibYUVVersion();
}
