/* Reading JPEG by libjpeg-turbo, as a few flat functions. It reports errors by a jump: every function here sets its own target, so
 * that no jump leaves this file, and none passes over Rust. What it calls in Rust returns before anything jumps. */

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* How a call ended; turbo.rs has the same. */
enum { DONE, DAMAGED, STOPPED, TOO_MANY_SCANS };

/* What the samples are; turbo.rs has the same. */
enum { GREY, YCBCR, RGB, INKS, OTHER };

typedef struct {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    int outcome;
    int most_scans;
    /* Whether all of the file was read at the start. */
    int is_read;
    int (*stop)(const void *);
    const void *control;
    char message[JMSG_LENGTH_MAX];
} darkroom_turbo;

/* What a file is, by its headers. */
typedef struct {
    uint32_t width, height;
    uint32_t color;
    /* Whether software by Adobe's rules wrote it: inks are inverted then. */
    uint32_t is_adobe;
} darkroom_turbo_info;

/* One channel, where channels are handed over as they are stored. */
typedef struct {
    /* Samples across and down that belong to the picture. */
    uint32_t width, height;
    /* Samples that are written in each row, which may be more. */
    uint32_t columns;
    /* Samples across and down in one cell: so many rows are written at once. */
    uint32_t cell_width, cell_height;
} darkroom_turbo_plane;

/* What will be decoded. */
typedef struct {
    uint32_t width, height;
    darkroom_turbo_plane planes[3];
} darkroom_turbo_frame;

static void jump(darkroom_turbo *turbo, int outcome)
{
    turbo->outcome = outcome;
    longjmp(turbo->back, 1);
}

static void on_error(j_common_ptr common)
{
    darkroom_turbo *turbo = common->client_data;
    common->err->format_message(common, turbo->message);
    jump(turbo, DAMAGED);
}

/* A warning says that something was missing and that zeros were taken for it, or that it can't be right: both are errors. The rest
 * is found in files that are sound. */
static int is_harmless(const struct jpeg_error_mgr *errors)
{
    switch (errors->msg_code) {
    /* Cameras pad the end of a scan; bytes between the pieces of a scan are what is left of a damaged one. */
    case JWRN_EXTRANEOUS_DATA:
        return errors->msg_parm.i[1] < JPEG_RST0 || errors->msg_parm.i[1] > JPEG_RST0 + 7;
    /* Zeros where a sequential file says which coefficients a scan has; bits that are sent twice. */
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
    /* Markers that say more than anybody asks. */
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
        return 1;
    default:
        return 0;
    }
}

static void on_message(j_common_ptr common, int level)
{
    if (level < 0 && !is_harmless(common->err)) {
        on_error(common);
    }
}

static void on_output(j_common_ptr common)
{
    (void)common;
}

static void on_progress(j_common_ptr common)
{
    darkroom_turbo *turbo = common->client_data;
    if (turbo->stop(turbo->control)) {
        jump(turbo, STOPPED);
    }
    if (turbo->decoder.input_scan_number > turbo->most_scans) {
        jump(turbo, TOO_MANY_SCANS);
    }
}

/* A decoder that has no file yet; null without memory for it. `stop` is asked again and again whether to give up. */
darkroom_turbo *darkroom_turbo_new(int (*stop)(const void *), const void *control, int most_scans)
{
    darkroom_turbo *turbo = calloc(1, sizeof *turbo);
    if (turbo) {
        turbo->decoder.err = jpeg_std_error(&turbo->errors);
        turbo->decoder.client_data = turbo;
        turbo->errors.error_exit = on_error;
        turbo->errors.emit_message = on_message;
        turbo->errors.output_message = on_output;
        turbo->progress.progress_monitor = on_progress;
        turbo->stop = stop;
        turbo->control = control;
        turbo->most_scans = most_scans;
    }
    return turbo;
}

void darkroom_turbo_close(darkroom_turbo *turbo)
{
    jpeg_destroy_decompress(&turbo->decoder);
    free(turbo);
}

/* What was wrong when a call ended as DAMAGED. */
const char *darkroom_turbo_message(const darkroom_turbo *turbo)
{
    return turbo->message;
}

static uint32_t color_of(const struct jpeg_decompress_struct *decoder)
{
    switch (decoder->jpeg_color_space) {
    case JCS_GRAYSCALE:
        return GREY;
    case JCS_YCbCr:
        return YCBCR;
    case JCS_RGB:
        return RGB;
    case JCS_CMYK:
    case JCS_YCCK:
        return INKS;
    default:
        return OTHER;
    }
}

/* Reads all before the first scan. The file must outlive the decoder: it is not copied, and where it ends, reading fails. */
int darkroom_turbo_open(darkroom_turbo *turbo, const uint8_t *file, size_t size, darkroom_turbo_info *info)
{
    struct jpeg_decompress_struct *decoder = &turbo->decoder;
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    jpeg_create_decompress(decoder);
    /* Creating takes this from the environment. */
    decoder->mem->max_memory_to_use = 0;
    decoder->progress = &turbo->progress;
    jpeg_mem_src(decoder, file, size);
    jpeg_read_header(decoder, TRUE);
    if (decoder->data_precision != 8) {
        ERREXIT1(decoder, JERR_BAD_PRECISION, decoder->data_precision);
    }
    /* Zeros at the end of such a scan may be left out, so that nothing tells it from one that was cut. */
    if (decoder->arith_code) {
        ERREXIT(decoder, JERR_ARITH_NOTIMPL);
    }
    memset(info, 0, sizeof *info);
    info->width = decoder->image_width;
    info->height = decoder->image_height;
    info->color = color_of(decoder);
    info->is_adobe = decoder->saw_Adobe_marker ? 1 : 0;
    return DONE;
}

/* Sets what is decoded: so many eighths of the size, as RGBA or inks, or with `raw` grey or luma and chroma as they are stored. */
int darkroom_turbo_plan(darkroom_turbo *turbo, uint32_t eighths, int raw, darkroom_turbo_frame *frame)
{
    struct jpeg_decompress_struct *decoder = &turbo->decoder;
    int at;
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    decoder->scale_num = eighths;
    decoder->scale_denom = 8;
    decoder->raw_data_out = raw ? TRUE : FALSE;
    if (raw) {
        decoder->out_color_space = decoder->jpeg_color_space;
    } else if (decoder->out_color_space != JCS_CMYK) {
        decoder->out_color_space = JCS_EXT_RGBA;
    }
    /* Coefficients that were not sent are zero, not a guess. */
    decoder->do_block_smoothing = FALSE;
    jpeg_calc_output_dimensions(decoder);
    memset(frame, 0, sizeof *frame);
    frame->width = decoder->output_width;
    frame->height = decoder->output_height;
    for (at = 0; at < decoder->num_components && at < 3; at++) {
        const jpeg_component_info *channel = &decoder->comp_info[at];
        darkroom_turbo_plane *plane = &frame->planes[at];
        uint32_t block = (uint32_t)channel->DCT_scaled_size;
        plane->width = channel->downsampled_width;
        plane->height = channel->downsampled_height;
        plane->columns = channel->width_in_blocks * block;
        plane->cell_width = (uint32_t)channel->h_samp_factor * block;
        plane->cell_height = (uint32_t)channel->v_samp_factor * block;
    }
    return DONE;
}

/* Begins. Of a file of several scans all are read here. */
int darkroom_turbo_start(darkroom_turbo *turbo)
{
    struct jpeg_decompress_struct *decoder = &turbo->decoder;
    int at;
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    jpeg_start_decompress(decoder);
    turbo->is_read = jpeg_has_multiple_scans(decoder);
    for (at = 0; at < decoder->num_components; at++) {
        /* A channel that was in no scan would be grey. */
        if (!decoder->comp_info[at].quant_table || (decoder->coef_bits && decoder->coef_bits[at][0] < 0)) {
            ERREXIT(decoder, JERR_MISSING_DATA);
        }
    }
    return DONE;
}

/* The next rows, of four bytes a pixel. */
int darkroom_turbo_rows(darkroom_turbo *turbo, uint8_t *pixels, size_t stride, uint32_t count)
{
    JSAMPROW rows[DCTSIZE];
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    while (count) {
        uint32_t most = count < DCTSIZE ? count : DCTSIZE, at, done;
        for (at = 0; at < most; at++) {
            rows[at] = pixels + at * stride;
        }
        /* At least one: it is an error to ask for more than there are. */
        done = jpeg_read_scanlines(&turbo->decoder, rows, most);
        pixels += done * stride;
        count -= done;
    }
    return DONE;
}

/* The next row of cells, as the frame says how many samples that is of each plane. With `is_idle` it is only read past. */
int darkroom_turbo_cells(darkroom_turbo *turbo, uint8_t *const planes[3], const size_t strides[3], int is_idle)
{
    struct jpeg_decompress_struct *decoder = &turbo->decoder;
    JSAMPROW rows[3][MAX_SAMP_FACTOR * DCTSIZE];
    JSAMPARRAY arrays[3];
    JDIMENSION lines = 0;
    int at, row;
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    for (at = 0; at < decoder->num_components && at < 3; at++) {
        jpeg_component_info *channel = &decoder->comp_info[at];
        int height = channel->v_samp_factor * channel->DCT_scaled_size;
        for (row = 0; row < height; row++) {
            rows[at][row] = planes[at] + (size_t)row * strides[at];
        }
        arrays[at] = rows[at];
        lines = lines < (JDIMENSION)height ? (JDIMENSION)height : lines;
        channel->component_needed = is_idle ? FALSE : TRUE;
    }
    jpeg_read_raw_data(decoder, arrays, lines);
    return DONE;
}

/* Reads on to the end marker, when all rows were read. */
int darkroom_turbo_finish(darkroom_turbo *turbo)
{
    if (setjmp(turbo->back)) {
        return turbo->outcome;
    }
    jpeg_finish_decompress(&turbo->decoder);
    return DONE;
}

/* How many bytes of the file, from the middle of its scan on, were not read yet: none where several scans were read at the start. */
size_t darkroom_turbo_left(const darkroom_turbo *turbo)
{
    const struct jpeg_decompress_struct *decoder = &turbo->decoder;
    if (turbo->is_read) {
        return 0;
    }
    /* A marker that ended what there was to read counts as not read. */
    return decoder->src->bytes_in_buffer + (decoder->unread_marker ? 2 : 0);
}

#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(value) #value

const char *darkroom_turbo_version(void)
{
    return TEXT(LIBJPEG_TURBO_VERSION);
}
