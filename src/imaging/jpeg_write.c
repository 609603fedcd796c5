/* Writes JPEG by libjpeg's interface, which two libraries have: compiled once for libjpeg-turbo and once, with DARKROOM_JPEGLI,
 * for jpegli. Their structures are seen here alone. An error of theirs is a jump, which never leaves this file: what Rust gets is
 * a text. */

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef DARKROOM_JPEGLI
/* jpegli is built with the structures of libjpeg 8 and has no headers of its own to include: these are libjpeg-turbo's, told to
 * be those. That the sizes agree is checked when a compressor is created. */
#define JCONFIG_INCLUDED
#define JPEG_LIB_VERSION 80
#define BITS_IN_JSAMPLE 8
#define MEM_SRCDST_SUPPORTED 1
#include <jpeglib.h>

struct jpeg_error_mgr *jpegli_std_error(struct jpeg_error_mgr *errors);
void jpegli_CreateCompress(j_compress_ptr compressor, int version, size_t size);
void jpegli_set_defaults(j_compress_ptr compressor);
void jpegli_set_quality(j_compress_ptr compressor, int quality, boolean force_baseline);
void jpegli_set_progressive_level(j_compress_ptr compressor, int level);
void jpegli_enable_adaptive_quantization(j_compress_ptr compressor, boolean on);
void jpegli_start_compress(j_compress_ptr compressor, boolean write_all_tables);
JDIMENSION jpegli_write_scanlines(j_compress_ptr compressor, JSAMPARRAY rows, JDIMENSION count);
void jpegli_finish_compress(j_compress_ptr compressor);
void jpegli_destroy_compress(j_compress_ptr compressor);

#define LIBRARY(name) jpegli_##name
#define OURS(name) darkroom_jpegli_##name
#else
#include <jpeglib.h>
#define LIBRARY(name) jpeg_##name
#define OURS(name) darkroom_turbo_writer_##name
#endif

/* As many rows are handed over at once. */
#define ROWS 16
/* So many bytes are collected before the receiver gets them. */
#define CHUNK 16384

/* Takes a part of the file; anything but 0 when no more is wanted. */
typedef int (*darkroom_jpeg_receiver)(void *context, const uint8_t *bytes, size_t size);

/* What to write. */
typedef struct {
    uint32_t width, height;
    /* Bytes of a pixel: 1 is grey, 3 is RGB. 4 is RGB and a byte that is not looked at: libjpeg-turbo's alone. */
    uint32_t channels;
    /* Colour at the full resolution, not at half of it both ways. */
    uint32_t full_color;
    uint32_t progressive;
    /* Huffman tables made for this picture; without them no more than a few rows are held in memory. */
    uint32_t optimized;
    /* What luma is divided by, and then what colour is, 64 values each, row by row. */
    const uint16_t *divisors;
    darkroom_jpeg_receiver receiver;
    void *context;
} darkroom_jpeg_order;

/* A file that is being written. */
typedef struct {
    struct jpeg_compress_struct compressor;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf jump;
    darkroom_jpeg_receiver receiver;
    void *context;
    int is_stopped;
    /* Bytes of a row. */
    size_t row;
    char message[JMSG_LENGTH_MAX];
    uint8_t chunk[CHUNK];
} darkroom_jpeg_writer;

static void fail(j_common_ptr compressor)
{
    darkroom_jpeg_writer *writer = compressor->client_data;
    (*compressor->err->format_message)(compressor, writer->message);
    longjmp(writer->jump, 1);
}

static void say_nothing(j_common_ptr compressor)
{
    (void)compressor;
}

/* What comes after a stop is thrown away: a jump out of the middle of jpegli would leave behind what its frames own. */
static void hand_over(j_compress_ptr compressor, size_t size)
{
    darkroom_jpeg_writer *writer = compressor->client_data;
    if (size && !writer->is_stopped) {
        writer->is_stopped = (*writer->receiver)(writer->context, writer->chunk, size);
    }
    writer->destination.next_output_byte = writer->chunk;
    writer->destination.free_in_buffer = CHUNK;
}

static void begin_output(j_compress_ptr compressor)
{
    hand_over(compressor, 0);
}

static boolean empty_output(j_compress_ptr compressor)
{
    hand_over(compressor, CHUNK);
    return TRUE;
}

static void end_output(j_compress_ptr compressor)
{
    hand_over(compressor, CHUNK - compressor->dest->free_in_buffer);
}

/* The whole picture coarsely, then the detail of each component from coarse to fine, and nothing twice: refining the bits of
 * a coefficient over several scans would cost more time than all else, for a percent of the bytes. */
static const jpeg_scan_info color_scans[] = {
    { 3, { 0, 1, 2 }, 0, 0, 0, 0 },
    { 1, { 0 }, 1, 2, 0, 0 },
    { 1, { 0 }, 3, 9, 0, 0 },
    { 1, { 0 }, 10, 63, 0, 0 },
    { 1, { 1 }, 1, 2, 0, 0 },
    { 1, { 2 }, 1, 2, 0, 0 },
    { 1, { 1 }, 3, 63, 0, 0 },
    { 1, { 2 }, 3, 63, 0, 0 },
};
static const jpeg_scan_info grey_scans[] = {
    { 1, { 0 }, 0, 0, 0, 0 },
    { 1, { 0 }, 1, 2, 0, 0 },
    { 1, { 0 }, 3, 9, 0, 0 },
    { 1, { 0 }, 10, 63, 0, 0 },
};

static void set_resolutions(j_compress_ptr compressor, int full_color)
{
    if (compressor->num_components == 3) {
        compressor->comp_info[0].h_samp_factor = compressor->comp_info[0].v_samp_factor = full_color ? 1 : 2;
    }
}

static void start(j_compress_ptr compressor, const darkroom_jpeg_order *order)
{
    int is_grey = order->channels == 1, table;
    compressor->image_width = order->width;
    compressor->image_height = order->height;
    compressor->input_components = (int)order->channels;
    compressor->in_color_space = is_grey ? JCS_GRAYSCALE : order->channels == 3 ? JCS_RGB : JCS_EXT_RGBX;
    LIBRARY(set_defaults)(compressor);
    set_resolutions(compressor, order->full_color != 0);
    for (table = 0; table < 2; table++) {
        memcpy(compressor->quant_tbl_ptrs[table]->quantval, order->divisors + table * DCTSIZE2, DCTSIZE2 * sizeof(UINT16));
    }
    compressor->write_JFIF_header = TRUE;
    compressor->optimize_coding = order->optimized ? TRUE : FALSE;
#ifdef DARKROOM_JPEGLI
    jpegli_set_progressive_level(compressor, 0);
    jpegli_enable_adaptive_quantization(compressor, FALSE);
#endif
    if (order->progressive) {
        compressor->scan_info = is_grey ? grey_scans : color_scans;
        compressor->num_scans = is_grey ? sizeof grey_scans / sizeof *grey_scans : sizeof color_scans / sizeof *color_scans;
    }
    LIBRARY(start_compress)(compressor, TRUE);
}

/* A compressor whose errors jump to `writer->jump`, which is to be set. */
static void create(darkroom_jpeg_writer *writer)
{
    writer->compressor.err = LIBRARY(std_error)(&writer->errors);
    writer->errors.error_exit = fail;
    writer->errors.output_message = say_nothing;
    writer->compressor.client_data = writer;
    LIBRARY(CreateCompress)(&writer->compressor, JPEG_LIB_VERSION, sizeof writer->compressor);
}

/* Begins a file. Null without memory; else a writer, to be closed in any case, and `*error` is null or why nothing can be
 * written with it. */
darkroom_jpeg_writer *OURS(open)(const darkroom_jpeg_order *order, const char **error)
{
    darkroom_jpeg_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        return NULL;
    }
    *error = writer->message;
    if (setjmp(writer->jump)) {
        return writer;
    }
    create(writer);
    writer->receiver = order->receiver;
    writer->context = order->context;
    writer->row = (size_t)order->width * order->channels;
    writer->destination.init_destination = begin_output;
    writer->destination.empty_output_buffer = empty_output;
    writer->destination.term_destination = end_output;
    writer->compressor.dest = &writer->destination;
    start(&writer->compressor, order);
    *error = NULL;
    return writer;
}

/* Writes `count` rows, which lie one behind the other. Null, or why not. */
const char *OURS(write)(darkroom_jpeg_writer *writer, const uint8_t *pixels, size_t count)
{
    JSAMPROW rows[ROWS];
    if (setjmp(writer->jump)) {
        return writer->message;
    }
    while (count) {
        JDIMENSION some = count < ROWS ? (JDIMENSION)count : ROWS, index;
        for (index = 0; index < some; index++) {
            rows[index] = (JSAMPROW)(pixels + index * writer->row);
        }
        some = LIBRARY(write_scanlines)(&writer->compressor, rows, some);
        if (!some) {
            return "more rows than were announced";
        }
        pixels += some * writer->row;
        count -= some;
    }
    return NULL;
}

/* Writes what is left once all rows are there. Null, or why not. */
const char *OURS(finish)(darkroom_jpeg_writer *writer)
{
    if (setjmp(writer->jump)) {
        return writer->message;
    }
    LIBRARY(finish_compress)(&writer->compressor);
    return NULL;
}

void OURS(close)(darkroom_jpeg_writer *writer)
{
    LIBRARY(destroy_compress)(&writer->compressor);
    free(writer);
}

#ifdef DARKROOM_JPEGLI
/* What jpegli divides by at a quality of 1 to 100: `divisors` as in an order. 0 without memory. */
int darkroom_jpegli_divisors(uint32_t quality, uint32_t full_color, uint16_t *divisors)
{
    darkroom_jpeg_writer *writer = calloc(1, sizeof *writer);
    int table, is_done = 0;
    if (!writer) {
        return 0;
    }
    if (!setjmp(writer->jump)) {
        create(writer);
        writer->compressor.input_components = 3;
        writer->compressor.in_color_space = JCS_RGB;
        jpegli_set_defaults(&writer->compressor);
        set_resolutions(&writer->compressor, full_color != 0);
        jpegli_set_quality(&writer->compressor, (int)quality, TRUE);
        for (table = 0; table < 2; table++) {
            memcpy(divisors + table * DCTSIZE2, writer->compressor.quant_tbl_ptrs[table]->quantval, DCTSIZE2 * sizeof(UINT16));
        }
        is_done = 1;
    }
    darkroom_jpegli_close(writer);
    return is_done;
}
#endif
