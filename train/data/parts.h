#ifndef NAS_TRAIN_DATA_PARTS_H
#define NAS_TRAIN_DATA_PARTS_H
/* What the files of this folder share among themselves. Neighbours use dataset.h. */
#include "train/data/dataset.h"

/* Space for n images of self->task. */
nas_status nas_dataset_allocate(nas_dataset *self, int64_t n, nas_err *err);

/* Fills train, valid and test, and the digest of the three. */
nas_status nas_dataset_make_split(nas_dataset *d, nas_err *err);

/* Reads the lists "train" and "valid" of a split file: JSON-like text in which a number may stand in quotes, and a list
 * may be wrapped as ["int", [...]] as in the splits that AutoDL published. Each number must be below `limit` and stand
 * in one list, once. */
nas_status nas_split_file_parse(const char *text, const char *where, int64_t limit, uint32_t **train, int64_t *n_train,
                                uint32_t **valid, int64_t *n_valid, nas_err *err);

/* Fills mean, std and the table of normalised values. */
void nas_dataset_measure(nas_dataset *d);

/* Unpacks the members of a .tar.gz whose base names are wanted into `folder`, each through a temporary name. */
nas_status nas_tar_unpack(const char *path, const nas_data_file *wanted, const char *folder, nas_err *err);
#endif
