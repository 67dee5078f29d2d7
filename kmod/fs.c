// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filesystem: names, sizes, owners, quota. Pages are mapping.c's.
 */
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/swap.h>

#include "compat/compat.h"
#include "fs.h"
#include "lost.h"
#include "mapping.h"
#include "uapi/linux/vmfastmig.h"

#define DEFAULT_MODE	0755
#define DEFAULT_PERCENT	90	/* of RAM, when size= is not given */

DEFINE_MUTEX(vmfm_regions_lock);
LIST_HEAD(vmfm_regions);

static struct kmem_cache *region_cache;

static struct vmfm_mount *mount_of(struct inode *inode)
{
	return inode->i_sb->s_fs_info;
}

struct rw_semaphore *vmfm_region_adding(struct vmfm_region *region)
{
	return &mount_of(&region->inode)->adding;
}

int vmfm_region_charge(struct vmfm_region *region, long pages)
{
	struct vmfm_mount *mnt = mount_of(&region->inode);
	long used = atomic_long_read(&mnt->used_pages);

	do {
		if (used + pages > (long)READ_ONCE(mnt->max_pages))
			return -ENOSPC;
	} while (!atomic_long_try_cmpxchg(&mnt->used_pages, &used, used + pages));
	atomic_long_add(pages, &region->charged_pages);
	return 0;
}

void vmfm_region_uncharge(struct vmfm_region *region, long pages)
{
	atomic_long_sub(pages, &region->charged_pages);
	atomic_long_sub(pages, &mount_of(&region->inode)->used_pages);
}

struct vmfm_region *vmfm_region_get_fd(int fd)
{
	struct vmfm_region *region = ERR_PTR(-EMEDIUMTYPE);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &vmfm_file_ops)
		goto out;
	if (!(file->f_mode & FMODE_WRITE)) {
		region = ERR_PTR(-EBADF);
		goto out;
	}
	ihold(file_inode(file));
	/* An inode alone does not keep its filesystem from being unmounted. */
	atomic_inc(&file_inode(file)->i_sb->s_active);
	region = vmfm_region(file_inode(file));
out:
	fput(file);
	return region;
}

void vmfm_region_put(struct vmfm_region *region)
{
	struct super_block *sb = region->inode.i_sb;

	iput(&region->inode);
	deactivate_super(sb);
}

int vmfm_region_claim(struct vmfm_region *region, struct vmfm_session *session, bool sink)
{
	int err = 0;

	mutex_lock(&vmfm_regions_lock);
	if (region->session) {
		err = -EBUSY;
	} else {
		region->session = session;
		WRITE_ONCE(region->sink, sink);
	}
	mutex_unlock(&vmfm_regions_lock);
	return err;
}

/* The session has it: nobody else writes this. The guest stands still. */
void vmfm_region_arrived(struct vmfm_region *region)
{
	WRITE_ONCE(region->sink, false);
}

void vmfm_region_release(struct vmfm_region *region)
{
	mutex_lock(&vmfm_regions_lock);
	region->session = NULL;
	WRITE_ONCE(region->sink, false);
	mutex_unlock(&vmfm_regions_lock);
}

/*
 * A folio across the new end is split while the old one stands: with the new one the
 * kernel's split takes the pages behind it for pages that were counted as dirty, which
 * these never are. Nothing but a byte behind the end changes when that fails.
 */
static int split_at(struct inode *inode, loff_t size)
{
	struct folio *folio;
	bool is_whole;

	if (IS_ALIGNED(size, HPAGE_PMD_SIZE) || size >= i_size_read(inode))
		return 0;
	truncate_inode_pages_range(inode->i_mapping, size, size);
	folio = vmfm_find_folio(inode->i_mapping, size >> PAGE_SHIFT);
	is_whole = folio && folio_test_large(folio);
	if (folio)
		folio_put(folio);
	return is_whole ? -EBUSY : 0;
}

/* A session's idea of a region's size is fixed; its sink's pages have keys. */
static int set_size(struct inode *inode, loff_t size)
{
	struct vmfm_region *region = vmfm_region(inode);
	int err = 0;

	mutex_lock(&vmfm_regions_lock);
	if (region->session && size != i_size_read(inode))
		err = -EBUSY;
	mutex_unlock(&vmfm_regions_lock);
	if (err)
		return err;

	filemap_invalidate_lock(inode->i_mapping);
	err = split_at(inode, size);
	if (err)
		goto unlock;
	vmfm_lost_split(region, DIV_ROUND_UP(size, PAGE_SIZE), ULONG_MAX);
	truncate_setsize(inode, size);
	vmfm_lost_forget(region, DIV_ROUND_UP(size, PAGE_SIZE), ULONG_MAX);
	vmfm_region_recount(region);
unlock:
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

static int region_setattr(vmfm_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int err = setattr_prepare(idmap, dentry, attr);

	if (!err && (attr->ia_valid & ATTR_SIZE))
		err = set_size(inode, attr->ia_size);
	if (err)
		return err;
	setattr_copy(idmap, inode, attr);
	return 0;
}

static int region_getattr(vmfm_idmap *idmap, const struct path *path, struct kstat *stat,
			  u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);

	vmfm_generic_fillattr(idmap, request_mask, inode, stat);
	stat->blocks = (u64)READ_ONCE(inode->i_mapping->nrpages) << (PAGE_SHIFT - 9);
	stat->blksize = HPAGE_PMD_SIZE;
	return 0;
}

static const struct inode_operations region_iops = {
	.setattr = region_setattr,
	.getattr = region_getattr,
};

static const struct inode_operations dir_iops;

static void region_init(struct vmfm_region *region)
{
	struct inode *inode = &region->inode;

	inode->i_op = &region_iops;
	inode->i_fop = &vmfm_file_ops;
	inode->i_mapping->a_ops = &vmfm_aops;
	/* Not movable: compaction must not replace mappings behind a round. */
	mapping_set_gfp_mask(inode->i_mapping, GFP_HIGHUSER);
	mapping_set_unevictable(inode->i_mapping);
	mapping_set_large_folios(inode->i_mapping);

	mutex_lock(&vmfm_regions_lock);
	list_add_tail(&region->node, &vmfm_regions);
	mutex_unlock(&vmfm_regions_lock);
}

static struct inode *make_inode(struct super_block *sb, struct inode *dir, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	vmfm_inode_init_owner(inode, dir, mode);
	vmfm_inode_set_times(inode);
	if (S_ISREG(mode)) {
		region_init(vmfm_region(inode));
	} else {
		inode->i_op = &dir_iops;
		inode->i_fop = &simple_dir_operations;
		inc_nlink(inode);
	}
	return inode;
}

static int add_entry(struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct inode *inode = make_inode(dir->i_sb, dir, mode);

	if (!inode)
		return -ENOSPC;
	d_instantiate(dentry, inode);
	dget(dentry);	/* pinned until unlinked: there is no disk to find it on */
	vmfm_inode_set_times(dir);
	return 0;
}

/*
 * A guest's RAM is for its owner, whatever the umask: QEMU asks for 0644. Others who
 * may read it see its secrets, use up the quota and hold pages that a migration waits for.
 */
static int dir_create(vmfm_idmap *idmap, struct inode *dir, struct dentry *dentry,
		      umode_t mode, bool excl)
{
	return add_entry(dir, dentry, (mode & ~0077) | S_IFREG);
}

static int dir_mkdir(vmfm_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode)
{
	int err = add_entry(dir, dentry, mode | S_IFDIR);

	if (!err)
		inc_nlink(dir);
	return err;
}

static const struct inode_operations dir_iops = {
	.create = dir_create,
	.lookup = simple_lookup,
	.unlink = simple_unlink,
	.mkdir = dir_mkdir,
	.rmdir = simple_rmdir,
	.rename = simple_rename,
};

static struct inode *alloc_inode(struct super_block *sb)
{
	struct vmfm_region *region = vmfm_alloc_inode_sb(sb, region_cache);

	if (!region)
		return NULL;
	RCU_INIT_POINTER(region->dirty, NULL);
	region->session = NULL;
	region->sink = false;
	atomic_set(&region->reading_maps, 0);
	atomic_set(&region->reading_maps_ever, 0);
	atomic_long_set(&region->charged_pages, 0);
	xa_init(&region->lost);
	vmfm_placement_init(&region->placement);
	INIT_LIST_HEAD(&region->node);
	spin_lock_init(&region->waits_lock);
	INIT_LIST_HEAD(&region->waits);
	return &region->inode;
}

static void free_inode(struct inode *inode)
{
	vmfm_placement_destroy(&vmfm_region(inode)->placement);
	kmem_cache_free(region_cache, vmfm_region(inode));
}

static void evict_inode(struct inode *inode)
{
	struct vmfm_region *region = vmfm_region(inode);

	mutex_lock(&vmfm_regions_lock);
	list_del_init(&region->node);
	mutex_unlock(&vmfm_regions_lock);
	vmfm_lost_split(region, 0, ULONG_MAX);
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	xa_destroy(&region->lost);
	vmfm_region_uncharge(region, atomic_long_read(&region->charged_pages));
}

/*
 * QEMU aligns what it maps to the page size of hugetlbfs, and to no other's: where
 * nobody can give it align=2M, as with libvirt, its RAM would be mapped by 4 KiB.
 */
static int statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct vmfm_mount *mnt = dentry->d_sb->s_fs_info;
	unsigned int order = READ_ONCE(mnt->as_hugetlbfs) ? HPAGE_PMD_ORDER : 0;
	long used = atomic_long_read(&mnt->used_pages);

	buf->f_type = order ? HUGETLBFS_MAGIC : VMFM_FS_MAGIC;
	buf->f_fsid = u64_to_fsid(VMFM_FS_MAGIC | (u64)dentry->d_sb->s_dev << 32);
	buf->f_bsize = PAGE_SIZE << order;
	buf->f_namelen = NAME_MAX;
	buf->f_blocks = mnt->max_pages >> order;
	buf->f_bfree = used < mnt->max_pages ? (mnt->max_pages - used) >> order : 0;
	buf->f_bavail = buf->f_bfree;
	return 0;
}

static int show_options(struct seq_file *m, struct dentry *root)
{
	struct vmfm_mount *mnt = root->d_sb->s_fs_info;

	seq_printf(m, ",size=%luk,mode=%03ho", mnt->max_pages << (PAGE_SHIFT - 10), mnt->mode);
	if (!uid_eq(mnt->uid, GLOBAL_ROOT_UID))
		seq_printf(m, ",uid=%u", from_kuid_munged(&init_user_ns, mnt->uid));
	if (!gid_eq(mnt->gid, GLOBAL_ROOT_GID))
		seq_printf(m, ",gid=%u", from_kgid_munged(&init_user_ns, mnt->gid));
	if (mnt->as_hugetlbfs)
		seq_puts(m, ",statfs=hugetlbfs");
	return 0;
}

static const struct super_operations super_ops = {
	.alloc_inode = alloc_inode,
	.free_inode = free_inode,
	.drop_inode = generic_delete_inode,
	.evict_inode = evict_inode,
	.statfs = statfs,
	.show_options = show_options,
};

enum { OPT_MODE, OPT_UID, OPT_GID, OPT_SIZE, OPT_STATFS };

static const struct constant_table statfs_names[] = {
	{ VMFM_FS_NAME, false },
	{ "hugetlbfs", true },
	{}
};

static const struct fs_parameter_spec mount_options[] = {
	fsparam_u32oct("mode", OPT_MODE),
	fsparam_u32("uid", OPT_UID),
	fsparam_u32("gid", OPT_GID),
	fsparam_string("size", OPT_SIZE),
	fsparam_enum("statfs", OPT_STATFS, statfs_names),
	{}
};

/* size=BYTES[kKmMgGtT] or size=PERCENT% of RAM, as tmpfs takes it. */
static int parse_size(struct fs_context *fc, const char *text, unsigned long *pages)
{
	char *end;
	unsigned long long size = memparse(text, &end);

	if (end == text)
		return invalfc(fc, "size=%s is not a size", text);
	if (*end == '%') {
		if (size > 100)
			return invalfc(fc, "size=%s is more than all memory", text);
		size = div_u64((u64)totalram_pages() * size, 100) << PAGE_SHIFT;
		end++;
	}
	if (*end || !size)
		return invalfc(fc, "size=%s is not a size", text);
	*pages = DIV_ROUND_UP_ULL(size, PAGE_SIZE);
	return 0;
}

static int parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct vmfm_mount *mnt = fc->s_fs_info;
	struct fs_parse_result result;
	int opt = fs_parse(fc, mount_options, param, &result);

	if (opt < 0)
		return opt;
	switch (opt) {
	case OPT_MODE:
		mnt->mode = result.uint_32 & S_IALLUGO;
		return 0;
	case OPT_UID:
		mnt->uid = make_kuid(current_user_ns(), result.uint_32);
		return uid_valid(mnt->uid) ? 0 : invalfc(fc, "uid %u unknown", result.uint_32);
	case OPT_GID:
		mnt->gid = make_kgid(current_user_ns(), result.uint_32);
		return gid_valid(mnt->gid) ? 0 : invalfc(fc, "gid %u unknown", result.uint_32);
	case OPT_STATFS:
		mnt->as_hugetlbfs = result.uint_32;
		return 0;
	default:
		return parse_size(fc, param->string, &mnt->max_pages);
	}
}

static int fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct vmfm_mount *mnt = sb->s_fs_info;
	struct inode *root;

	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = VMFM_FS_MAGIC;
	sb->s_op = &super_ops;
	sb->s_time_gran = 1;

	root = make_inode(sb, NULL, S_IFDIR | mnt->mode);
	if (root) {
		root->i_uid = mnt->uid;
		root->i_gid = mnt->gid;
	}
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, fill_super);
}

static int reconfigure(struct fs_context *fc)
{
	struct vmfm_mount *old = fc->root->d_sb->s_fs_info, *new = fc->s_fs_info;

	if (new->max_pages < atomic_long_read(&old->used_pages))
		return invalfc(fc, "size is below what is in use");
	old->max_pages = new->max_pages;
	WRITE_ONCE(old->as_hugetlbfs, new->as_hugetlbfs);
	return 0;
}

static void free_context(struct fs_context *fc)
{
	kfree(fc->s_fs_info);
}

static const struct fs_context_operations context_ops = {
	.parse_param = parse_param,
	.get_tree = get_tree,
	.reconfigure = reconfigure,
	.free = free_context,
};

static int init_context(struct fs_context *fc)
{
	struct vmfm_mount *mnt = kzalloc(sizeof(*mnt), GFP_KERNEL);

	if (!mnt)
		return -ENOMEM;
	init_rwsem(&mnt->adding);
	mnt->mode = DEFAULT_MODE;
	mnt->max_pages = div_u64((u64)totalram_pages() * DEFAULT_PERCENT, 100);
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		struct vmfm_mount *old = fc->root->d_sb->s_fs_info;

		mnt->max_pages = old->max_pages;
		mnt->as_hugetlbfs = old->as_hugetlbfs;
	}
	fc->s_fs_info = mnt;
	fc->ops = &context_ops;
	return 0;
}

static void kill_super(struct super_block *sb)
{
	struct vmfm_mount *mnt = sb->s_fs_info;

	kill_litter_super(sb);
	kfree(mnt);
}

static struct file_system_type fs_type = {
	.owner = THIS_MODULE,
	.name = VMFM_FS_NAME,
	.init_fs_context = init_context,
	.parameters = mount_options,
	.kill_sb = kill_super,
};
MODULE_ALIAS_FS(VMFM_FS_NAME);

static void region_ctor(void *object)
{
	struct vmfm_region *region = object;

	inode_init_once(&region->inode);
}

int vmfm_fs_register(void)
{
	int err;

	region_cache = kmem_cache_create("vmfastmig_region", sizeof(struct vmfm_region), 0,
					 SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, region_ctor);
	if (!region_cache)
		return -ENOMEM;
	err = register_filesystem(&fs_type);
	if (err)
		kmem_cache_destroy(region_cache);
	return err;
}

void vmfm_fs_unregister(void)
{
	unregister_filesystem(&fs_type);
	rcu_barrier();	/* inodes are freed by RCU */
	kmem_cache_destroy(region_cache);
}
